/** Search: a query with filters, hits with highlights, a jump to each. */

import { api } from "../api.js";
import { Component, counted, h, iconButton } from "../dom.js";
import { conversationPath, navigate } from "../router.js";
import { store } from "../store.js";
import { formatFull, formatShort } from "../time.js";
import { avatar } from "./person.js";
import { timeOf } from "./message.js";

const PAGE = 25;
const JUMP_MS = 150; // the conversation opens first, then the thread beside it
const FILTERS = [
  ["from:", "name", "written by somebody; “me” is you"],
  ["in:", "channel", "in a channel or group"],
  ["with:", "name", "in conversations with somebody"],
  ["before:", "2026-03-01", "before a day"],
  ["after:", "2026-03-01", "after a day"],
  ["on:", "2026-03-01", "on a day"],
  ["has:", "file", "with a file, link or reaction"],
];

let lastQuery = ""; // a thread or a jump may take the pane's place; the next look goes on from there

/** Events: `close-pane`, `open-thread` (detail: {rootId, seq}), bubble. */
export class SearchPane extends Component {
  #input = h("input", { type: "search", name: "q", "aria-label": "Search messages", placeholder: "Search messages and files", autocomplete: "off", enterkeyhint: "search" });
  #sort = h("select", { "aria-label": "Order" }, h("option", { value: "rank" }, "Best first"), h("option", { value: "date" }, "Newest first"));
  #results = h("div", { class: "results" });
  #status = h("p", { class: "dim", role: "status" });
  #hits = [];
  #asked = 0;

  mount() {
    const close = () => this.dispatchEvent(new Event("close-pane", { bubbles: true }));
    this.replaceChildren(
      h("header", { class: "pane-head" }, h("h2", {}, "Search"), h("span", { class: "grow" }), iconButton("close", "Close search", close)),
      h("form", { class: "search-form", role: "search", onsubmit: (event) => (event.preventDefault(), this.#search()) }, this.#input, this.#sort),
      h("div", { class: "pane-body" }, this.#status, this.#results),
    );
    this.listen(this.#sort, "change", () => this.#search());
    this.listen(this, "keydown", (event) => event.key === "Escape" && !this.#input.value && close());
    this.listen(store, "users", this.update);
    this.#drawHelp();
    this.#input.value = lastQuery;
    if (lastQuery) this.#search();
    this.#input.select();
    this.#input.focus();
  }

  /** The channel that is open, offered as a filter. */
  place = "";

  focus() {
    this.#input.focus();
  }

  #drawHelp() {
    this.#status.textContent = "Narrow it down with filters. “Words in quotes” are found together, begin* finds what begins so, -word leaves out.";
    const add = (filter) => {
      this.#input.value = `${this.#input.value.trimEnd()} ${filter}`.trimStart();
      this.#input.focus();
    };
    const row = ([filter, example, help]) => {
      const here = filter === "in:" && this.place;
      const button = h("button", { onclick: () => add(here ? `in:${/\s/.test(here) ? `"${here}"` : here} ` : filter) }, h("code", {}, filter), h("span", { class: "dim" }, here || example));
      return h("li", {}, button, h("span", { class: "dim" }, help));
    };
    this.#results.replaceChildren(h("ul", { class: "filters", "aria-label": "Filters" }, FILTERS.map(row)));
  }

  async #search(offset = 0) {
    const q = this.#input.value.trim();
    lastQuery = q;
    if (!q) return this.#drawHelp();
    const asked = ++this.#asked;
    if (!offset) this.#status.textContent = "Searching…";
    try {
      const answer = await api.get("/api/search", { q, sort: this.#sort.value, offset, limit: PAGE, utc_offset: -new Date().getTimezoneOffset() });
      if (asked === this.#asked) this.#take(answer, offset);
    } catch (error) {
      if (!error.code) throw error;
      if (asked === this.#asked) this.#status.textContent = error.message;
    }
    return undefined;
  }

  #take({ hits, total, unknown }, offset) {
    this.#hits = offset ? [...this.#hits, ...hits] : hits;
    const count = counted(total, "message");
    this.#status.textContent = unknown.length ? `${count}. Not known: ${unknown.join(", ")}` : count;
    this.total = total;
    this.render();
  }

  render() {
    if (this.total === undefined) return;
    if (!this.#hits.length) {
      this.#results.replaceChildren(h("p", { class: "empty" }, "Nothing found. Try fewer words, or another spelling."));
      return;
    }
    const more = this.#hits.length < this.total && h("button", { onclick: () => this.#search(this.#hits.length) }, "Show more");
    this.#results.replaceChildren(h("ol", { class: "hits", "aria-label": "Results" }, this.#hits.map((hit) => this.#hit(hit))), more || "");
  }

  #hit({ message, snippet, highlights, conversation_title }) {
    const known = store.conversations.get(message.conversation_id);
    const place = known ? store.titleOf(known) : (conversation_title ?? "");
    const channel = known?.type === "CHANNEL" || (!known && conversation_title);
    const time = timeOf(message);
    const clock = h("time", { class: "dim", datetime: time, title: formatFull(time) }, formatShort(time));
    return h(
      "li",
      {},
      h(
        "button",
        { class: "hit", "data-message-id": message.message_id, onclick: () => this.#jump(message) },
        h("span", { class: "hit-place dim", dir: "auto" }, channel ? `# ${place}` : place),
        h("span", { class: "hit-head" }, avatar(message.sender_id, "tiny"), h("strong", { dir: "auto" }, store.nameOf(message.sender_id)), clock),
        h("span", { class: "hit-text", dir: "auto" }, highlight(snippet, highlights)),
      ),
    );
  }

  #jump(message) {
    const shell = this.closest("nm-shell");
    const conversation = store.conversations.get(message.conversation_id) ?? { conversation_id: message.conversation_id, workspace_id: null };
    navigate(conversationPath(conversation, store.workspaceId, message.seq));
    const thread = new CustomEvent("open-thread", { detail: { rootId: message.thread_id, seq: message.seq } });
    if (message.thread_id && !message.broadcast) setTimeout(() => shell.dispatchEvent(thread), JUMP_MS);
    else if (matchMedia("(max-width: 1000px)").matches) this.dispatchEvent(new Event("close-pane", { bubbles: true }));
  }
}

/** The snippet with its hits marked; offsets count code points. */
function highlight(snippet, highlights) {
  const points = [...snippet];
  const out = [];
  let at = 0;
  for (const [start, end] of highlights) {
    out.push(points.slice(at, start).join(""), h("mark", {}, points.slice(start, end).join("")));
    at = end;
  }
  return [...out, points.slice(at).join("")];
}

customElements.define("nm-search", SearchPane);
