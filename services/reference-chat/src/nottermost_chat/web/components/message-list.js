/** The messages of a timeline: scrolling that keeps its place, the "new messages" line, actions on a message. */

import { attempt, Component, copyText, counted, h, icon, iconButton, reconcile, rovingFocus, toast } from "../dom.js";
import { emojiLabel, noteEmoji, recentEmoji } from "../emoji.js";
import { outbox } from "../outbox.js";
import { conversationPath } from "../router.js";
import { socket } from "../socket.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { dayOf, formatDay } from "../time.js";
import { loadBody, textOf } from "../timeline.js";
import { openDatePicker } from "./date-picker.js";
import { confirmDialog, openMenu } from "./dialog.js";
import { openEmojiPicker } from "./emoji-picker.js";
import { mergeReactions, messageStamp, renderMessage, timeOf } from "./message.js";
import { openPerson } from "./person.js";

const GROUP_MS = 5 * 60_000; // messages of one author within this time share a head
const LOAD_WITHIN_PX = 900;
const BOTTOM_WITHIN_PX = 48;

/** Events: `open-thread` (detail: {rootId}), `jump` (detail: {at}), both bubble. */
export class MessageList extends Component {
  #scroller = h("div", { class: "scroller", tabindex: "-1" });
  #head = h("div", { class: "list-head" });
  #list = h("ol", { class: "messages" });
  #foot = h("div", { class: "list-foot" });
  #jump = h("button", { class: "jump", hidden: true, onclick: () => this.toNewest() });
  #toolbar = null;
  #timeline = null;
  #abort = new AbortController();
  #stuck = true;
  #line = null; // seq after which messages are new
  #kept = null; // what was at the top of the window when it was last scrolled
  #editing = null;
  #editNext = null; // client_msg_id of a message to edit as soon as it is stored
  #shown = "";
  #focusable = () => {};

  threadId = null;

  mount() {
    this.replaceChildren(this.#scroller, this.#jump);
    this.#scroller.replaceChildren(this.#head, this.#list, this.#foot);
    this.#focusable = rovingFocus(this.#list, () => [...this.#list.querySelectorAll(":scope > .message")], { signal: this.signal });
    this.listen(this.#scroller, "scroll", () => this.#scrolled());
    this.listen(store, "users receipts teams", this.update);
    this.listen(outbox, "change", ({ detail }) => detail === this.#timeline?.conversationId && this.update());
    this.listen(document, "visibilitychange", () => this.#see());
    this.listen(store, "connection", () => socket.state === "open" && this.#timeline?.error && this.#retry());
    this.listen(this.#list, "click", (event) => this.#clicked(event));
    this.listen(this.#list, "pointerover focusin", ({ target }) => this.#showToolbar(target.closest(".message")));
    this.listen(this.#list, "pointerleave", () => this.#list.contains(document.activeElement) || this.#toolbar?.remove());
    this.listen(this.#list, "keydown", (event) => this.#key(event));
    const resized = new ResizeObserver(() => (this.#stuck ? this.#toBottom() : this.#keepPlace()));
    resized.observe(this.#scroller);
    resized.observe(this.#list);
    this.unmount = () => (resized.disconnect(), this.#abort.abort());
  }

  get conversation() {
    return store.conversations.get(this.#timeline.conversationId);
  }

  /**
   * Show a timeline: at a seq or time, at the first new message, or at the end.
   * @param {{seq?: number, at?: string}} target
   */
  async show(timeline, { seq = null, at = null } = {}) {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#timeline = timeline;
    this.#stuck = false;
    this.#editing = null;
    this.#editNext = null;
    this.#list.setAttribute("aria-label", this.threadId ? "Thread" : `Messages in ${store.titleOf(this.conversation)}`);
    const signal = this.#abort.signal;
    timeline.addEventListener("change", ({ detail }) => this.#changed(detail.appended), { signal });
    const { read_seq = 0, unread_count = 0 } = this.conversation ?? {};
    this.#line = unread_count && !this.threadId ? read_seq : null;
    const start = seq ?? (unread_count && read_seq && !this.threadId ? read_seq : null);
    const there = timeline.loaded && !timeline.hasNewer && !at && (start === null || timeline.messages.some((each) => each.seq === start));
    if (!there) {
      this.#list.replaceChildren();
      this.classList.add("loading");
      await timeline.open({ seq: at ? null : start, at });
      this.classList.remove("loading");
    }
    if (signal.aborted) return;
    this.render();
    this.#place({ seq, at });
    this.#see();
  }

  #place({ seq, at }) {
    const after = (each) => (seq !== null ? each.seq >= seq : Date.parse(timeOf(each)) >= Date.parse(at));
    const target = seq !== null || at !== null ? (this.#timeline.messages.find(after) ?? this.#timeline.messages.at(-1)) : null;
    const item = target && this.#item(target);
    const line = this.#list.querySelector(".new-line");
    if (item) {
      item.scrollIntoView({ block: at ? "start" : "center" });
      item.classList.add("found");
      item.focus({ preventScroll: true });
    } else if (line) this.#scroller.scrollTop = line.offsetTop - 80;
    else this.#toBottom();
    this.#scrolled();
  }

  toNewest() {
    this.#stuck = true;
    if (this.#timeline.hasNewer) this.show(this.#timeline).then(() => this.#toBottom());
    else this.#toBottom();
  }

  /** An own message went out: the reader is at the end again, and nothing above is new. */
  sent() {
    this.#line = null;
    this.#stuck = true;
    if (this.#timeline.hasNewer) this.#timeline.open().then(() => this.toNewest());
    else this.render();
  }

  // --- drawing ------------------------------------------------------------------------------

  #changed(appended) {
    const unseen = appended && appended.sender_id !== store.me.user_id && (!this.#stuck || document.visibilityState === "hidden");
    const before = this.conversation?.read_seq ?? 0;
    const isNew = (each) => each.seq > Math.max(this.#line, before) && each !== appended && each.sender_id !== store.me.user_id;
    const nothingNew = this.#line === null || !this.#timeline.messages.some(isNew);
    if (unseen && nothingNew && !this.threadId) this.#line = before;
    if (appended?.client_msg_id && appended.client_msg_id === this.#editNext) this.#editStored(appended);
    this.update();
  }

  render() {
    if (!this.#timeline?.loaded && !this.#timeline?.error) return;
    const anchor = this.#stuck ? null : this.#anchor();
    const rows = this.#rows();
    reconcile(this.#list, rows, { key: (row) => row.key, stamp: (row) => row.stamp, render: (row) => row.render() });
    this.#drawEnds();
    this.#focusable();
    if (this.#stuck) this.#toBottom();
    else this.#keepPlace(anchor);
    this.#drawJump();
    this.#see();
    setTimeout(() => this.#loadMore());
  }

  #rows() {
    const timeline = this.#timeline;
    const confirmed = new Set(timeline.messages.filter((each) => each.sender_id === store.me.user_id).map((each) => each.client_msg_id));
    const waiting = timeline.hasNewer ? [] : outbox.pendingIn(timeline.conversationId, this.threadId).filter((item) => !confirmed.has(item.client_msg_id));
    const pending = waiting.map((item) => ({
      ...item,
      pending: true,
      sender_id: item.user_id,
      message_id: item.message_id ?? "",
      preview: item.body,
      thread_id: this.threadId ? item.thread_id : null,
    }));
    const rows = [];
    let before = null;
    let lineDrawn = this.#line === null;
    for (const message of [...timeline.messages, ...pending]) {
      const day = dayOf(timeOf(message));
      if (!before || dayOf(timeOf(before)) !== day) rows.push(this.#dayRow(day, message));
      const isNew = !lineDrawn && message.seq > this.#line && message.sender_id !== store.me.user_id;
      if (isNew) {
        lineDrawn = true;
        rows.push({ key: "line", stamp: "", render: () => h("li", { class: "new-line" }, h("span", {}, "New messages")) });
      }
      rows.push(this.#messageRow(message, this.#grouped(before, message) && !isNew));
      before = message;
    }
    return rows;
  }

  #grouped(before, message) {
    return Boolean(
      before &&
        before.sender_id === message.sender_id &&
        !before.note === !message.note &&
        !(message.broadcast && !this.threadId) &&
        dayOf(timeOf(before)) === dayOf(timeOf(message)) &&
        new Date(timeOf(message)) - new Date(timeOf(before)) < GROUP_MS &&
        before.message_id !== this.threadId,
    );
  }

  #dayRow(day, message) {
    const label = formatDay(timeOf(message));
    const jump = ({ currentTarget }) => openDatePicker(currentTarget, (at) => this.dispatchEvent(new CustomEvent("jump", { detail: { at }, bubbles: true })));
    const props = { class: "day-label", title: "Jump to a date", onclick: jump };
    return { key: `day ${day}`, stamp: label, render: () => h("li", { class: "day" }, this.threadId ? h("span", { class: "day-label" }, label) : h("button", props, label)) };
  }

  /** Own messages keep their element when the echo takes the place of what waited. */
  #messageRow(message, grouped) {
    const key = message.client_msg_id ? `${message.sender_id}/${message.client_msg_id}` : message.message_id;
    const editing = this.#editing && this.#editing === message.message_id;
    const context = { grouped, inThread: Boolean(this.threadId), canModerate: this.#canModerate };
    return {
      key,
      stamp: editing ? "editing" : `${revision(message)} ${grouped} ${message.pending ? message.state + message.error : ""} ${messageStamp(message)}`,
      render: () => {
        const item = renderMessage(message, context);
        item.message = message;
        if (editing) this.#drawEditor(item, message);
        return item;
      },
    };
  }

  #drawEditor(item, message) {
    const editor = document.createElement("nm-composer");
    editor.edit(this.conversation, message, async (body) => {
      this.#editing = null;
      this.render();
      this.focusComposer();
      if (body === "") return this.#delete(message);
      return body === null || body === textOf(message) ? undefined : attempt(() => sync.edit(message, body));
    });
    item.classList.add("editing");
    item.querySelector(".text").replaceWith(editor);
  }

  #drawEnds() {
    const { hasOlder, hasNewer, error } = this.#timeline;
    const shown = `${this.#timeline.conversationId} ${hasOlder} ${hasNewer} ${error?.message} ${store.titleOf(this.conversation)} ${this.conversation?.purpose}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const again = error && h("p", { class: "load-error", role: "alert" }, error.message, " ", h("button", { onclick: () => this.#retry() }, "Try again"));
    const beginning = this.threadId || error ? "" : this.#beginning();
    this.#head.replaceChildren(hasOlder ? h("p", { class: "loader" }, "Loading earlier messages…") : beginning);
    this.#foot.replaceChildren(...[again, hasNewer && h("p", { class: "loader" }, "Loading newer messages…")].filter(Boolean));
  }

  #beginning() {
    const conversation = this.conversation;
    if (!conversation) return "";
    const title = store.titleOf(conversation);
    const text = {
      DM: `This is the beginning of your conversation with ${title}. Only the two of you see it.`,
      GROUP: "This is the beginning of the group. Only its members see it.",
      CHANNEL: conversation.purpose || `This is the beginning of the ${conversation.private ? "private " : ""}channel.`,
    }[conversation.type];
    return h("div", { class: "beginning" }, h("h2", { dir: "auto" }, conversation.type === "CHANNEL" ? `# ${title}` : title), h("p", { dir: "auto" }, text));
  }

  #retry() {
    if (!this.#timeline.loaded) this.show(this.#timeline);
    else this.#loadMore();
  }

  // --- scrolling ------------------------------------------------------------------------------

  /** What is at the top of the window, and how far it moved. */
  #anchor() {
    const rows = this.#list.getElementsByClassName("message");
    let [from, to] = [0, rows.length]; // the first whose end is on the screen, by halving
    const edge = this.#scroller.getBoundingClientRect().top + 40;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > edge) to = middle;
      else from = middle + 1;
    }
    return rows[from] ? { row: rows[from], key: rows[from].key, top: rows[from].getBoundingClientRect().top } : null;
  }

  /** Move what was at the anchor back to where it was. */
  #keepPlace(anchor = this.#kept) {
    const row = anchor?.row.isConnected ? anchor.row : [...this.#list.children].find((each) => each.key === anchor?.key);
    if (row) this.#scroller.scrollTop += row.getBoundingClientRect().top - anchor.top;
  }

  #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  #toBottom() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled() {
    if (!this.#timeline?.loaded) return;
    this.#stuck = this.#distance() < BOTTOM_WITHIN_PX && !this.#timeline.hasNewer;
    this.#kept = this.#anchor();
    this.#timeline.place = this.#stuck ? null : (this.#kept?.row.message?.seq ?? null);
    this.#drawJump();
    this.#loadMore();
    this.#see();
  }

  #drawJump() {
    const away = this.#timeline.hasNewer || this.#distance() > 300;
    const unread = this.threadId ? 0 : (this.conversation?.unread_count ?? 0);
    this.#jump.hidden = !away;
    const label = unread ? counted(unread, "new message") : "Jump to newest";
    if (this.#jump.textContent !== label) this.#jump.replaceChildren(icon("down", 16), label);
  }

  #loadMore() {
    const timeline = this.#timeline;
    if (!timeline?.loaded || timeline.error || !this.isConnected) return;
    if (timeline.hasOlder && this.#scroller.scrollTop < LOAD_WITHIN_PX) timeline.loadOlder();
    else if (timeline.hasNewer && this.#distance() < LOAD_WITHIN_PX) timeline.loadNewer();
  }

  /** Move the read cursor to the last message that is really on the screen. */
  #see() {
    if (!this.isConnected || this.threadId || !this.#timeline?.loaded || document.visibilityState !== "visible") return;
    const { conversationId, hasNewer, messages } = this.#timeline;
    if (!hasNewer && this.#distance() < BOTTOM_WITHIN_PX) {
      sync.seen(conversationId, Math.max(this.conversation?.last_seq ?? 0, messages.at(-1)?.seq ?? 0));
      return;
    }
    const bottom = this.#scroller.getBoundingClientRect().bottom;
    const last = [...this.#list.children].findLast((each) => each.dataset.seq && each.getBoundingClientRect().bottom <= bottom + 8);
    if (last) sync.seen(conversationId, Number(last.dataset.seq));
  }

  #item(message) {
    return [...this.#list.children].find((each) => each.message?.message_id === message.message_id);
  }

  // --- actions ------------------------------------------------------------------------------

  get #canModerate() {
    return ["owner", "admin"].includes(this.conversation?.role);
  }

  get #writable() {
    return Boolean(this.conversation?.joined) && !this.conversation.archived;
  }

  focusComposer() {
    this.dispatchEvent(new Event("focus-composer", { bubbles: true }));
  }

  /** Edit the last message of one's own; one that is still on its way as soon as it is stored. */
  editLast() {
    const waiting = outbox.pendingIn(this.#timeline.conversationId, this.threadId).findLast((each) => each.state !== "failed");
    this.#editNext = waiting?.client_msg_id ?? null;
    const own = this.#timeline.messages.findLast((each) => each.sender_id === store.me.user_id && this.#alive(each));
    if (own && (!waiting || own.client_msg_id === waiting.client_msg_id)) this.#edit(own);
  }

  /** What was to be edited is stored now; who has gone on typing is left alone. */
  #editStored(message) {
    this.#editNext = null;
    if (document.activeElement?.value === "") this.#edit(message);
  }

  #alive = (message) => !message.pending && !message.deleted_at && !message.redacted && !message.note;

  async #edit(message) {
    if (message.has_more && !(await this.#readMore(message))) return;
    this.#editing = message.message_id;
    this.render();
    const item = this.#item(message);
    item?.scrollIntoView({ block: "nearest" });
    item?.querySelector("textarea")?.focus();
  }

  async #readMore(message) {
    const done = await attempt(async () => (await loadBody(message), true));
    if (done) this.#timeline.touch(message.message_id);
    return done;
  }

  async #delete(message) {
    const sure = await confirmDialog("Delete message?", "Everybody will see that it was deleted. You can undo this for seven days.", "Delete");
    if (!sure) return;
    await attempt(async () => {
      await sync.remove(message);
      toast("Message deleted.", { action: { label: "Undo", run: () => attempt(() => sync.restore(message)) } });
    });
  }

  #react(message, emoji) {
    const before = mergeReactions(message.reactions ?? []).find((each) => each.shown === emoji);
    noteEmoji(emoji);
    if (!before?.mine.length) return attempt(() => sync.react(message, emoji, true));
    return Promise.all(before.mine.map((value) => attempt(() => sync.react(message, value, false))));
  }

  #openThread(message) {
    this.dispatchEvent(new CustomEvent("open-thread", { detail: { rootId: message.thread_id ?? message.message_id }, bubbles: true }));
  }

  #clicked(event) {
    const control = event.target.closest("[data-action], [data-user-id]");
    const message = this.#timeline.find(event.target.closest(".message")?.dataset.messageId);
    const waiting = event.target.closest(".message")?.message;
    if (!control) return;
    if (control.dataset.userId) openPerson(control, control.dataset.userId);
    const actions = {
      author: () => openPerson(control, (message ?? waiting).sender_id),
      thread: () => this.#openThread(message),
      more: () => this.#readMore(message),
      undo: () => attempt(() => sync.restore(message)),
      react: () => openEmojiPicker(control, (emoji) => this.#react(message, emoji)),
      reaction: () => this.#react(message, control.dataset.emoji),
      retry: () => outbox.retry(outbox.items.find((item) => item.client_msg_id === waiting.client_msg_id)),
      discard: () => outbox.discard(outbox.items.find((item) => item.client_msg_id === waiting.client_msg_id)),
    };
    actions[control.dataset.action]?.();
  }

  #key(event) {
    const message = event.target.message;
    if (!message || event.ctrlKey || event.metaKey || event.altKey || !this.#alive(message)) return;
    const mine = message.sender_id === store.me.user_id;
    const actions = {
      Enter: () => this.threadId || this.#openThread(message),
      e: () => mine && this.#edit(message),
      t: () => this.threadId || this.#openThread(message),
      r: () => openEmojiPicker(event.target, (emoji) => this.#react(message, emoji)),
      m: () => this.#openMore(event.target, message),
      Delete: () => (mine || this.#canModerate) && this.#delete(message),
      Escape: () => this.focusComposer(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  /** One set of buttons, which moves to the message that is pointed at or has the focus. */
  #showToolbar(item) {
    const message = item?.message;
    if (!message || !this.#alive(message) || item.classList.contains("editing")) {
      if (item) this.#toolbar?.remove();
      return;
    }
    if (this.#toolbar?.parentElement === item) return;
    this.#toolbar?.remove();
    const react = (emoji) => this.#react(this.#timeline.find(message.message_id), emoji);
    const quick = (emoji) => h("button", { class: "icon-button emoji", "aria-label": `React with ${emojiLabel(emoji)}`, title: emojiLabel(emoji), onclick: () => react(emoji) }, emoji);
    const buttons = [
      ...(this.#writable ? recentEmoji().slice(0, 3).map(quick) : []),
      this.#writable && iconButton("react", "Add reaction", ({ currentTarget }) => openEmojiPicker(currentTarget, react)),
      !this.threadId && iconButton("thread", "Reply in thread", () => this.#openThread(message)),
      iconButton("more", "More actions", ({ currentTarget }) => this.#openMore(currentTarget, message)),
    ];
    this.#toolbar = h("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" }, ...buttons);
    item.append(this.#toolbar);
  }

  #openMore(anchor, message) {
    const mine = message.sender_id === store.me.user_id;
    openMenu(
      anchor,
      "More actions",
      [
        mine && this.#writable && { label: "Edit", icon: "compose", run: () => this.#edit(message) },
        navigator.clipboard && { label: "Copy text", icon: "copy", run: () => copyText(textOf(message)) },
        navigator.clipboard && { label: "Copy link", icon: "link", run: () => copyText(location.origin + conversationPath(this.conversation, store.workspaceId, message.seq)) },
        (mine || this.#canModerate) && this.#writable && { label: "Delete", icon: "trash", danger: true, run: () => this.#delete(message) },
      ].filter(Boolean),
    );
  }
}

const revisions = new WeakMap();
let revisionCount = 0;

/** A number for a message object: messages are replaced, never changed. Waiting ones are told apart by their state. */
function revision(message) {
  if (message.pending) return "pending";
  if (!revisions.has(message)) revisions.set(message, ++revisionCount);
  return revisions.get(message);
}

customElements.define("nm-messages", MessageList);
