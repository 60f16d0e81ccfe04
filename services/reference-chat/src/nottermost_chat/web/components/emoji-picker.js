/** Choose an emoji: by searching, from the recent ones, or by group. */

import { h } from "../dom.js";
import { EMOJI, emojiLabel, findEmoji, noteEmoji, recentEmoji, setSkinTone, skinTone, withTone } from "../emoji.js";
import { openPopover } from "./dialog.js";

const COLUMNS = 8;
const TONES = ["Default skin tone", "Light", "Medium-light", "Medium", "Medium-dark", "Dark"];

/** @param {(emoji: string) => void} choose */
export function openEmojiPicker(anchor, choose) {
  const search = h("input", { type: "search", placeholder: "Search emoji", "aria-label": "Search emoji", autocomplete: "off", oninput: () => draw() });
  const grid = h("div", { class: "emoji-grid", tabindex: "0", role: "group", "aria-label": "Emoji" });
  const name = h("p", { class: "emoji-name", "aria-live": "off" });
  const tone = h(
    "select",
    { "aria-label": "Skin tone", title: "Skin tone", onchange: ({ target }) => (setSkinTone(target.selectedIndex), draw()) },
    TONES.map((label, at) => h("option", { selected: at === skinTone() }, `${withTone("✋", at)} ${label}`)),
  );
  const pick = (emoji) => {
    noteEmoji(emoji);
    popover.hidePopover();
    choose(emoji);
  };
  const cell = (emoji) => h("button", { tabindex: "-1", "aria-label": emojiLabel(emoji), onclick: () => pick(emoji) }, emoji);
  const draw = () => {
    const query = search.value.trim();
    const found = query ? findEmoji(query) : null;
    const all = () => ({ "Used recently": recentEmoji(), ...Object.groupBy(EMOJI, (each) => each.group) });
    const groups = found ? { [found.length ? "Found" : "Nothing found"]: found } : all();
    grid.replaceChildren(
      ...Object.entries(groups).map(([label, entries]) => {
        const cells = entries.map((each) => cell(withTone(each.emoji ?? each)));
        return h("section", { "aria-label": label }, h("p", { class: "emoji-group" }, label), h("div", { class: "emoji-cells" }, cells));
      }),
    );
  };
  const cells = () => [...grid.querySelectorAll("button")];
  const move = (event) => {
    const all = cells();
    const at = all.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (event.key === "Enter" && at < 0 && all[0]) {
      event.preventDefault();
      all[0].click();
    }
    if (!step || (at < 0 && event.key !== "ArrowDown")) return;
    event.preventDefault();
    (all[at < 0 ? 0 : at + step] ?? (step < 0 ? search : all.at(-1))).focus();
  };
  const tell = ({ target }) => (name.textContent = target.closest(".emoji-cells > button") ? `:${target.getAttribute("aria-label").replaceAll(" ", "_")}:` : "");
  const body = h("div", { class: "emoji-picker", onkeydown: move, onfocusin: tell, onpointerover: tell }, h("div", { class: "emoji-search" }, search, tone), grid, name);
  draw();
  const popover = openPopover(anchor, body, { label: "Choose an emoji" });
  search.focus();
}
