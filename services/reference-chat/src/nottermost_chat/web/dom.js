/** Building and changing the DOM. Data reaches the page as text nodes and attributes only, never as HTML. */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "indeterminate", "textContent"]);

/**
 * Make an element. Functions become listeners (`onclick`), `null` and `false` are left out.
 * @returns {any} the element; `any` so that callers need not narrow it
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button"; // only forms have others, and say so
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value ?? (name === "value" ? "" : false);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Path data of our icons, on a 24 x 24 grid, drawn as 2-unit strokes. */
const ICONS = {
  add: "M12 5v14M5 12h14",
  archive: "M4 4h16v5H4zM6 9v11h12V9M10 13h4",
  attach: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.5 3.5 0 0 1 5 5l-8.5 8.5a1.8 1.8 0 0 1-2.5-2.5L15 7",
  back: "M15 5l-7 7 7 7",
  bold: "M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z",
  calendar: "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
  close: "M6 6l12 12M18 6L6 18",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  codeblock: "M4 4h16v16H4zM10 9l-3 3 3 3M14 9l3 3-3 3",
  compose: "M5 19h4L19 9l-4-4L5 15z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M12 5v14M6 13l6 6 6-6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  emoji: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14c1.5 3 5.5 3 7 0M9 9.5v.01M15 9.5v.01",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  hash: "M9 4L7 20M17 4l-2 16M4 9h16M4 15h16",
  italic: "M10 5h8M6 19h8M14 5l-4 14",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  list: "M9 6h11M9 12h11M9 18h11M4.5 6v.01M4.5 12v.01M4.5 18v.01",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
  menu: "M4 7h16M4 12h16M4 17h16",
  message: "M5 5h14v11h-8l-4 4v-4H5z",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c0-4 2.5-6 6-6s6 2 6 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2 .7 3 2.5 3 5.5",
  quote: "M5 6v12M10 8h10M10 12h10M10 16h6",
  react: "M13 4a8.5 8.5 0 1 0 7 7M8.5 14c1.5 2.5 5 2.5 6.5 0M9 10v.01M14 10v.01M19 2v6M16 5h6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  send: "M4 12l16-8-5 16-3-7z",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  strike: "M5 12h14M16 7c-1-1.5-2.5-2-4-2-5 0-5 5-1 6.5M8 17c1 1.5 2.5 2 4 2 3.5 0 5-2.5 4-5",
  thread: "M4 5h16v10h-9l-4 4v-4H4zM8 9h8M8 12h5",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  undo: "M4 10h10a5 5 0 0 1 0 10H9M8 6l-4 4 4 4",
};

/** One of our icons; decoration, so the control around it carries the name. */
export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true" }))
    svg.setAttribute(key, String(value));
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows only an icon; `label` is its accessible name and tooltip. */
export const iconButton = (name, label, onclick, props = {}) =>
  h("button", { class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));

/**
 * Make `parent`'s children show `items`, keeping the elements whose stamp did not change and the focus.
 * @param {{key: (item: any) => string, stamp: (item: any) => string, render: (item: any) => Element}} how
 */
export function reconcile(parent, items, { key, stamp, render }) {
  const old = new Map([...parent.children].map((child) => [child.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let refocus = null;
  let at = parent.firstElementChild;
  for (const item of items) {
    const itemKey = key(item);
    const itemStamp = stamp(item);
    const before = old.get(itemKey);
    old.delete(itemKey);
    let node = before;
    if (!before || before.stamp !== itemStamp) {
      node = render(item);
      node.key = itemKey;
      node.stamp = itemStamp;
      if (before) {
        if (focused && before.contains(focused)) refocus = () => sameControl(node, focused).focus({ preventScroll: true });
        if (at === before) at = node;
        before.replaceWith(node);
      }
    }
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const gone of old.values()) gone.remove();
  refocus?.();
}

function sameControl(node, focused) {
  const name = focused.getAttribute("aria-label");
  return (name && [...node.querySelectorAll("[aria-label]")].find((each) => each.getAttribute("aria-label") === name)) || node;
}

/** A name and, below it, what there is to say about it. */
export const twoLines = (name, about = "", props = {}) =>
  h("span", { class: "two-lines" }, h("strong", { dir: "auto" }, name), h("span", { class: "dim", dir: "auto", ...props }, about));

/** What there is of `parts`, in one line. */
export const joined = (...parts) => parts.filter(Boolean).join(" · ");

/** Base of our custom elements: listeners end with the element, `update()` calls `render()` once however often it is asked. */
export class Component extends HTMLElement {
  #abort = new AbortController();
  #queued = false;

  connectedCallback() {
    this.#abort = new AbortController();
    this.mount?.();
  }

  disconnectedCallback() {
    this.#abort.abort();
    this.unmount?.();
  }

  get signal() {
    return this.#abort.signal;
  }

  /** Listen to `types` (separated by spaces) until the element leaves the page. */
  listen(target, types, listener) {
    for (const type of types.split(" ")) target.addEventListener(type, listener, { signal: this.signal });
  }

  update = () => {
    if (this.#queued) return;
    this.#queued = true;
    setTimeout(() => {
      this.#queued = false;
      if (this.isConnected) this.render();
    });
  };
}

/** Arrow keys, Home and End move the focus among `items()`; one of them is in the tab order. */
export function rovingFocus(container, items, { signal } = {}) {
  const choose = (target) => {
    for (const item of items()) item.tabIndex = item === target ? 0 : -1;
  };
  container.addEventListener("focusin", (event) => items().includes(event.target) && choose(event.target), { signal });
  container.addEventListener(
    "keydown",
    (event) => {
      const all = items().filter((item) => item.offsetParent !== null);
      const at = all.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (at < 0 || to === undefined || !all[to]) return;
      event.preventDefault();
      all[to].focus();
    },
    { signal },
  );
  return () => {
    const all = items();
    if (all.length && !all.some((item) => item.tabIndex === 0)) choose(all[0]);
  };
}

/** Show a sentence for a few seconds; `action` is {label, run}. */
export function toast(text, { kind = "info", action = null, ms = 6000 } = {}) {
  const close = () => element.remove();
  const element = h(
    "div",
    { class: `toast ${kind}`, role: kind === "error" ? "alert" : null },
    h("span", {}, text),
    action && h("button", { class: "link", onclick: () => (close(), action.run()) }, action.label),
    iconButton("close", "Dismiss", close),
  );
  const place = document.getElementById("toasts");
  place.append(element);
  place.hidePopover();
  place.showPopover(); // again, so that it lies above a dialog that opened meanwhile
  setTimeout(close, ms);
}

/** Run `work`; what goes wrong becomes one sentence on the screen. Resolves to undefined then. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code !== "session_ended") toast(error.message, { kind: "error" });
    if (!error.code) console.error(error);
    return undefined;
  }
}

/** Copy a text, where the browser lets pages do that (`navigator.clipboard`: only over HTTPS or from this machine). */
export const copyText = (text) => attempt(async () => (await navigator.clipboard.writeText(text), toast("Copied.")));

/** Tell screen readers something that others see. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** "1 reply", "2 replies". */
export const counted = (number, noun, plural = `${noun}s`) => `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;

/**
 * `read`, one at a time: calls while it runs share one more run after it, as its answer may be older than what they heard of.
 * @param {() => Promise<any>} read
 */
export function latest(read) {
  let running = null;
  let next = null;
  const run = () => (running = read().finally(() => (running = null)));
  const runAgain = () => ((next = null), run());
  return () => (running ? (next ??= running.then(runAgain, runAgain)) : run());
}

/** A random id of 128 bits; `crypto.randomUUID` would need a secure context. */
export const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Length in code points, as the server counts. */
export function codePoints(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Whether the screen has a phone's width: the side bar is a drawer then. */
export const narrow = () => matchMedia("(max-width: 760px)").matches;
