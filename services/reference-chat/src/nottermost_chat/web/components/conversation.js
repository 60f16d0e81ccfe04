/** A conversation: head, messages, who is typing, composer. */

import { api } from "../api.js";
import { attempt, Component, counted, h, icon, iconButton } from "../dom.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { acceptDrops } from "./composer.js";
import { openDatePicker } from "./date-picker.js";
import { avatar, presenceDot } from "./person.js";

/** Events: `drawer`, `details`, `search` when their buttons are pressed; bubble. */
export class ConversationView extends Component {
  #id = null;
  #list = document.createElement("nm-messages");
  #composer = document.createElement("nm-composer");
  #head = h("header", { class: "conversation-head" });
  #typing = h("p", { class: "typing" });
  #bottom = h("div", { class: "composer-area" });
  #drawn = "";

  mount() {
    this.replaceChildren(this.#head, this.#list, this.#typing, this.#bottom);
    this.listen(store, "conversations presence users", this.update);
    this.listen(store, "typing users", () => this.#drawTyping());
    this.listen(this, "sent", () => this.#list.sent());
    this.listen(this, "edit-last", () => this.#list.editLast());
    this.listen(this, "focus-composer", () => this.#composer.focus());
    this.listen(this, "jump", ({ detail }) => this.#list.show(sync.timeline(this.#id), detail));
    acceptDrops(this, (files) => this.#writable && this.#composer.addFiles(files));
  }

  unmount() {
    this.#id = null; // shown afresh when it comes back
  }

  get conversation() {
    return store.conversations.get(this.#id);
  }

  get #writable() {
    return Boolean(this.conversation?.joined && !this.conversation.archived);
  }

  /** @param {number | null} seq jump there */
  async open(conversationId, seq = null) {
    const other = conversationId !== this.#id;
    this.#id = conversationId;
    this.#drawn = "";
    sync.open(conversationId);
    if (other) {
      sync.loadReceipts(this.conversation);
      sync.show("conversation", this.conversation.other_user_ids);
    }
    this.render();
    this.#drawTyping();
    this.#list.hidden = !this.conversation.joined;
    if (this.conversation.joined && (other || seq !== null)) await this.#list.show(sync.timeline(conversationId), { seq });
    const senders = new Set(sync.timeline(conversationId).messages.slice(-60).map((each) => each.sender_id));
    if (this.#id === conversationId) sync.show("conversation", [...new Set([...this.conversation?.other_user_ids ?? [], ...senders])]);
  }

  focus() {
    if (this.#writable) this.#composer.focus();
  }

  render() {
    const conversation = this.conversation;
    if (!conversation) return;
    this.#drawHead(conversation);
    if (this.#list.hidden && conversation.joined) {
      this.#list.hidden = false;
      this.#list.show(sync.timeline(this.#id));
    }
    const shown = `${this.#id} ${conversation.joined} ${conversation.archived} ${store.titleOf(conversation)}`;
    if (shown === this.#drawn) return;
    this.#drawn = shown;
    if (this.#writable) {
      this.#bottom.replaceChildren(this.#composer);
      this.#composer.compose(conversation);
    } else this.#bottom.replaceChildren(this.#closedBar(conversation));
  }

  #drawHead(conversation) {
    const { type, topic, member_count, other_user_ids } = conversation;
    const title = store.titleOf(conversation);
    const picture = type === "DM" ? avatar(other_user_ids[0] ?? store.me.user_id, "small") : icon(type === "GROUP" ? "people" : conversation.private ? "lock" : "hash");
    const other = other_user_ids[0];
    const dot = type === "DM" && other ? presenceDot(other) : null;
    const about = type === "DM" ? store.user(other ?? store.me.user_id).title : topic;
    const open = (name) => () => this.dispatchEvent(new Event(name, { bubbles: true }));
    const focused = this.#head.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    this.#head.replaceChildren(
      iconButton("menu", "Open side bar", open("drawer"), { class: "icon-button drawer-button" }),
      h("button", { class: "conversation-title", "aria-label": `${title}, details`, onclick: open("details") }, picture, h("h1", { dir: "auto" }, title), dot),
      h("span", { class: "topic dim", dir: "auto", title: about || null }, about),
      iconButton("calendar", "Jump to a date", ({ currentTarget }) => openDatePicker(currentTarget, (at) => this.#list.show(sync.timeline(this.#id), { at }))),
      iconButton("search", "Search", open("search")),
      type === "DM" ? "" : h("button", { class: "members-button", "aria-label": `${counted(member_count, "member")}, details`, onclick: open("details") }, icon("people"), String(member_count)),
    );
    if (focused) [...this.#head.querySelectorAll("button")].find((each) => each.getAttribute("aria-label") === focused)?.focus();
  }

  #drawTyping() {
    const names = store.typingIn(this.#id).map((id) => store.nameOf(id));
    this.#typing.textContent = typingText(names);
  }

  #closedBar(conversation) {
    if (conversation.archived) return h("div", { class: "closed-bar" }, icon("archive"), h("p", {}, "This conversation is archived. It can be read, not written."));
    const join = () => attempt(async () => sync.learn(await api.post(`/api/chats/conversations/${this.#id}/join`)));
    if (conversation.private) return h("div", { class: "closed-bar" }, h("p", {}, "You are no longer in this conversation."));
    const about = h("p", { dir: "auto" }, conversation.purpose || "You are not in this channel.");
    return h("div", { class: "closed-bar" }, about, h("button", { class: "primary", onclick: join }, "Join channel"));
  }
}

export function typingText(names) {
  if (!names.length) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  return names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
}

customElements.define("nm-conversation", ConversationView);
