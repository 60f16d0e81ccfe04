/** Dialogs, menus and forms: what opens above the page and gives the focus back when it closes. */

import { h, icon, iconButton, rovingFocus } from "../dom.js";

let number = 0;

/**
 * Open a modal dialog. It leaves the page when it closes.
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, { className = "", onclose = null } = {}) {
  const id = `dialog-${++number}`;
  const dialog = h(
    "dialog",
    { class: className, "aria-labelledby": id, onclose: () => (dialog.remove(), onclose?.()) },
    h("header", {}, h("h2", { id }, title), iconButton("close", "Close", () => dialog.close())),
    h("div", { class: "dialog-body" }, content),
  );
  dialog.addEventListener("pointerdown", (event) => event.target === dialog && dialog.close()); // beside it
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body button"))?.focus();
  return dialog;
}

/** Ask before something that is hard to take back. @returns {Promise<boolean>} */
export function confirmDialog(title, text, action) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog(
      title,
      [
        h("p", {}, text),
        h(
          "footer",
          {},
          h("button", { onclick: () => dialog.close() }, "Cancel"),
          h("button", { class: "primary danger", autofocus: true, onclick: () => ((answer = true), dialog.close()) }, action),
        ),
      ],
      { className: "small", onclose: () => resolve(answer) },
    );
  });
}

/** A labelled field. `props` go to the input. */
export function field(label, props = {}, hint = null) {
  const id = `field-${++number}`;
  const tag = props.rows ? "textarea" : "input";
  const input = h(tag, { id, "aria-describedby": hint && `${id}-hint`, ...props });
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}

/** A field that narrows a list down. @param {(text: string) => void} change gets what is looked for, in lower case */
export const findField = (label, change) =>
  h("input", { type: "search", placeholder: label, "aria-label": label, autocomplete: "off", oninput: ({ target }) => change(target.value.toLowerCase().trim()) });

/** A box (or with `type: "radio"` a choice) with its label behind it. */
export const checkbox = (label, props = {}) => h("label", { class: "check" }, h("input", { type: "checkbox", ...props }), h("span", {}, label));

const USERNAME = { name: "username", required: true, maxlength: 64, pattern: "[\\w.\\-]+", title: "Letters, digits, dots, dashes and underscores" };

/** A name that is mentioned with an @: of a user or a team. */
export const mentionField = (label, props = {}) => field(label, { ...USERNAME, ...props }, "Others mention it as @name.");

/**
 * A form that runs `submit` with its values; what goes wrong is said above the button.
 * @param {(values: Record<string, string>) => Promise<void>} submit
 */
export function form(children, label, submit, { busy = "Please wait…", className = "" } = {}) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const button = h("button", { type: "submit", class: "primary" }, label);
  return h(
    "form",
    {
      class: className,
      onsubmit: async (event) => {
        event.preventDefault();
        const values = Object.fromEntries(new FormData(event.currentTarget));
        problem.hidden = true;
        button.disabled = true;
        button.textContent = busy;
        try {
          await submit(values, event.target);
        } catch (error) {
          if (!error.code) console.error(error);
          problem.textContent = error.message;
          problem.hidden = false;
        } finally {
          button.disabled = false;
          button.textContent = label;
        }
      },
    },
    children,
    problem,
    h("footer", {}, button),
  );
}

/** Show `content` beside `anchor`; a click elsewhere or Escape closes it. */
export function openPopover(anchor, content, { label, className = "", role = "dialog" } = {}) {
  const back = document.activeElement;
  const popover = h("div", { class: `popover ${className}`, popover: "auto", role, "aria-label": label }, content);
  popover.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    const inside = popover.contains(document.activeElement) || document.activeElement === document.body;
    popover.remove();
    if (inside && back?.isConnected) back.focus({ preventScroll: true });
  });
  (anchor.closest("dialog") ?? document.body).append(popover);
  popover.showPopover();
  place(popover, anchor.getBoundingClientRect());
  return popover;
}

function place(popover, rect) {
  const { offsetWidth: width, offsetHeight: height } = popover;
  const below = rect.bottom + height + 8 <= innerHeight || rect.top < height + 8;
  const top = below ? Math.min(rect.bottom + 4, innerHeight - height - 8) : rect.top - height - 4;
  const left = rect.left + width + 8 <= innerWidth ? rect.left : rect.right - width;
  popover.style.top = `${Math.max(8, top)}px`;
  popover.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
}

/**
 * Open a menu.
 * @param {({label: string, icon?: string, danger?: boolean, checked?: boolean, run: () => void} | null)[]} entries null: a line
 */
export function openMenu(anchor, label, entries) {
  const items = entries.map((entry) =>
    entry === null
      ? h("hr")
      : h(
          "button",
          {
                        role: entry.checked === undefined ? "menuitem" : "menuitemradio",
            "aria-checked": entry.checked === undefined ? null : String(entry.checked),
            class: entry.danger ? "danger" : null,
            onclick: () => (popover.hidePopover(), entry.run()),
          },
          entry.icon ? icon(entry.icon) : h("span", { class: "check" }, entry.checked ? "✓" : ""),
          h("span", {}, entry.label),
        ),
  );
  const popover = openPopover(anchor, items, { label, className: "menu", role: "menu" });
  const buttons = items.filter((item) => item.tagName === "BUTTON");
  rovingFocus(popover, () => buttons)();
  buttons[0]?.focus();
  return popover;
}

/** Tabs: `pages` maps a name to a function that makes its content, called when it is first shown. */
export function tabs(label, pages, chosen = Object.keys(pages)[0]) {
  const panel = h("div", { class: "tab-panel", role: "tabpanel" });
  const show = (name) => {
    for (const button of buttons) {
      button.setAttribute("aria-selected", String(button.textContent === name));
      button.tabIndex = button.textContent === name ? 0 : -1;
    }
    panel.setAttribute("aria-label", name);
    panel.replaceChildren(pages[name]());
  };
  const buttons = Object.keys(pages).map((name) => h("button", { role: "tab", onclick: () => show(name) }, name));
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next?.focus();
    next?.click();
  });
  show(chosen);
  return h("div", { class: "tabbed" }, bar, panel);
}
