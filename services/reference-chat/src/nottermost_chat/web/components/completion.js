/** Completion in a text field: @people and teams, #channels, :emoji:. */

import { api } from "../api.js";
import { h } from "../dom.js";
import { findEmoji, withTone } from "../emoji.js";
import { store } from "../store.js";
import { tile } from "./person.js";

const SHOWN_MAX = 8;
const MEMBERS_READ = 200;
const TRIGGER = /(^|[\s(])([@#:])([\p{L}\p{N}_.+-]*)$/u;

const memberIds = new Map(); // conversation_id -> user ids, read once when somebody begins a mention

/** A list above the field; keys go to the field, which tells `key()`. */
export class Completion {
  #options = [];
  #at = 0;
  #start = 0;
  #asked = 0;

  /** @param {HTMLTextAreaElement} input @param {() => object} conversation */
  constructor(input, conversation) {
    this.input = input;
    this.conversation = conversation;
    this.element = h("ul", { class: "completion", role: "listbox", id: `completion-${Math.random().toString(36).slice(2)}`, "aria-label": "Suggestions", hidden: true });
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.element.id);
    this.element.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const at = [...this.element.children].indexOf(event.target.closest("li"));
      if (at >= 0) this.#choose(at);
    });
  }

  get open() {
    return !this.element.hidden;
  }

  close() {
    this.element.hidden = true;
    this.input.removeAttribute("aria-activedescendant");
  }

  /** The text or the caret changed. */
  async refresh() {
    const before = this.input.value.slice(0, this.input.selectionStart).slice(-80);
    const match = TRIGGER.exec(before);
    if (!match || (match[2] === ":" && match[3].length < 2)) return this.close();
    const asked = ++this.#asked;
    this.#start = this.input.selectionStart - match[3].length - 1;
    const sources = { "@": () => this.#people(match[3]), "#": () => this.#channels(match[3]), ":": () => emoji(match[3]) };
    this.#show(sources[match[2]]());
    if (match[2] !== "@" || !(await this.#readMembers(match[3]))) return undefined;
    if (asked === this.#asked) this.#show(this.#people(match[3]));
    else if (this.conversation().member_count <= MEMBERS_READ) this.refresh(); // somebody typed on meanwhile
    return undefined;
  }

  /** @returns {boolean} whether the key was ours */
  key(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#mark((this.#at + step + this.#options.length) % this.#options.length);
    else if (event.key === "Enter" || event.key === "Tab") this.#choose(this.#at);
    else if (event.key === "Escape") this.close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #show(options) {
    this.#options = options.slice(0, SHOWN_MAX);
    if (!this.#options.length) return this.close();
    this.element.replaceChildren(
      ...this.#options.map(({ picture, label, hint }, at) =>
        h("li", { role: "option", id: `${this.element.id}-${at}` }, picture, h("span", { class: "completion-label", dir: "auto" }, label), h("span", { class: "dim" }, hint)),
      ),
    );
    this.element.hidden = false;
    this.#mark(0);
    return undefined;
  }

  #mark(at) {
    this.#at = at;
    [...this.element.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    this.element.children[at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `${this.element.id}-${at}`);
  }

  #choose(at) {
    this.input.setRangeText(`${this.#options[at].text} `, this.#start, this.input.selectionStart, "end");
    this.close();
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #people(query) {
    const wanted = query.toLowerCase();
    const conversation = this.conversation();
    const members = new Set([...(memberIds.get(conversation.conversation_id) ?? []), ...conversation.other_user_ids]);
    const rank = (user) => {
      const names = [user.username, user.display_name, ...user.display_name.split(/\s+/)].map((name) => name.toLowerCase());
      return (names.some((name) => name.startsWith(wanted)) ? 0 : names.some((name) => name.includes(wanted)) ? 2 : 9) + (members.has(user.user_id) ? 0 : 1);
    };
    const people = [...store.users.values()]
      .filter((user) => user.username && !user.deleted && rank(user) < 9)
      .sort((a, b) => rank(a) - rank(b) || a.username.localeCompare(b.username))
      .map((user) => ({
        text: `@${user.username}`,
        label: user.display_name || user.username,
        hint: `@${user.username}${members.size && !members.has(user.user_id) ? " · not in here" : ""}`,
        picture: tile(user.user_id, user.display_name || user.username, "tiny"),
      }));
    const named = [
      ...(store.teams.get(conversation.workspace_id) ?? []).map(({ team_id, name, member_ids }) => ({ id: team_id, name, hint: `Team of ${member_ids.length}` })),
      ...(conversation.type === "DM" ? [] : [{ id: "channel", name: "channel", hint: "Everybody in here" }]),
    ]
      .filter(({ name }) => name.toLowerCase().startsWith(wanted))
      .map(({ id, name, hint }) => ({ text: `@${name}`, label: name, hint, picture: tile(id, name, "tiny") }));
    return [...people.slice(0, SHOWN_MAX - 2), ...named];
  }

  /** People of this conversation, once; and, in a large one, those whose name begins so. */
  async #readMembers(query) {
    const { conversation_id: id, member_count } = this.conversation();
    try {
      if (!memberIds.has(id)) {
        memberIds.set(id, []);
        const members = await api.get(`/api/chats/conversations/${id}/members`, { limit: MEMBERS_READ });
        memberIds.set(id, members.map((member) => member.user.user_id));
        store.learnUsers(members.map((member) => member.user));
        return true;
      }
      if (member_count <= MEMBERS_READ || query.length < 2) return false;
      const matches = await api.get("/api/chats/search", { q: query, limit: 10 });
      matches.filter((match) => match.kind === "user").forEach((match) => store.user(match.id));
      return true;
    } catch {
      memberIds.delete(id); // suggestions are a convenience: asked again with the next mention
      return false;
    }
  }

  #channels(query) {
    const wanted = query.toLowerCase();
    return store
      .listed(store.workspaceId)
      .channels.filter((each) => each.title.toLowerCase().includes(wanted))
      .map((each) => ({ text: `#${each.title}`, label: `#${each.title}`, hint: each.topic || each.purpose, picture: "" }));
  }
}

function emoji(query) {
  return findEmoji(query, SHOWN_MAX).map(({ emoji: plain, names }) => {
    const text = withTone(plain);
    return { text, label: `:${names[0]}:`, hint: "", picture: h("span", { class: "emoji" }, text) };
  });
}
