/** Choose a day to jump to. */

import { h } from "../dom.js";
import { openPopover } from "./dialog.js";

/** @param {(at: string) => void} choose gets the beginning of the day, RFC 3339 */
export function openDatePicker(anchor, choose) {
  const pick = (date) => {
    popover.hidePopover();
    choose(date.toISOString());
  };
  const midnight = (days) => {
    const date = new Date();
    date.setHours(0, 0, 0, 0);
    date.setDate(date.getDate() - days);
    return date;
  };
  const quick = [["Today", 0], ["Yesterday", 1], ["Last week", 7], ["Last month", 30]];
  const today = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
  const input = h("input", { type: "date", max: today, "aria-label": "Date", name: "date" });
  const submit = (event) => {
    event.preventDefault();
    if (input.value) pick(new Date(`${input.value}T00:00`));
  };
  const popover = openPopover(
    anchor,
    [
      ...quick.map(([label, days]) => h("button", { class: "menu-entry", onclick: () => pick(midnight(days)) }, label)),
      h("button", { class: "menu-entry", onclick: () => pick(new Date(0)) }, "The beginning"),
      h("form", { class: "date-form", onsubmit: submit }, input, h("button", { type: "submit", class: "primary" }, "Jump")),
    ],
    { label: "Jump to a date", className: "dates" },
  );
  popover.querySelector("button").focus();
}
