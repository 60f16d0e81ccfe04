/** The messages of one conversation (or thread) that are shown: a bounded window over the log, kept right by live entries. */

import { api } from "./api.js";
import { loadFiles } from "./files.js";

const PAGE = 60;
const WINDOW_MAX = 300; // messages kept, so that the page stays quick in a history of any length
const REPLIES_MAX = 3000;

const bodies = new Map(); // message_id -> {version, body}

/** The whole text of a message where it is known, else the preview. */
export function textOf(message) {
  if (!message.has_more) return message.preview ?? "";
  const full = bodies.get(message.message_id);
  return full?.version === (message.version ?? 1) ? full.body : (message.preview ?? "");
}

export const isWhole = (message) => !message.has_more || bodies.get(message.message_id)?.version === (message.version ?? 1);

export function learnBody(messageId, version, body) {
  bodies.set(messageId, { version, body });
}

/** Read the whole text of a long message. */
export async function loadBody(message) {
  const full = await api.get(`${historyPath(message.conversation_id)}/${message.message_id}`, { fields: "full" });
  learnBody(message.message_id, full.version ?? 1, full.body ?? "");
}

const historyPath = (conversationId) => `/api/messages/conversations/${conversationId}/messages`;

/** Events: `change` (detail: {appended: message | null}). */
export class Timeline extends EventTarget {
  messages = []; // by seq, none missing in between
  hasOlder = false;
  hasNewer = false;
  loaded = false;
  error = null;
  windowMax = WINDOW_MAX;
  place = null; // seq of what the reader looks at; null: the end
  #older = 0;
  #newer = 0;
  #busy = null;
  #during = []; // what came while a page was on its way: the page may be older than that

  constructor(conversationId) {
    super();
    this.conversationId = conversationId;
  }

  /** Whether a message belongs here. */
  shows(message) {
    return !message.thread_id || message.broadcast;
  }

  find(messageId) {
    return this.messages.find((each) => each.message_id === messageId);
  }

  /** Show the newest messages, or those around a seq or a time (RFC 3339). */
  open({ seq = null, at = null } = {}) {
    return this.exclusive(async () => {
      this.messages = [];
      this.hasNewer = false;
      this.place = seq;
      await this.#read({ seq, at });
    });
  }

  /** Read afresh what is shown, with the reader staying in place; until it is there the old stays. */
  reopen() {
    return this.exclusive(async () => {
      this.loaded = false; // what is shown has a gap: should this fail, it is opened anew
      await this.#read({ seq: this.place });
    });
  }

  async #read({ seq = null, at = null }) {
    const newest = seq === null && at === null;
    const page = await this.#page(newest ? { before_seq: 0 } : at ? { at } : { around_seq: seq });
    this.messages = page.messages;
    this.#older = newest ? page.next_seq : (page.messages[0]?.seq ?? 0);
    this.#newer = newest ? (page.messages.at(-1)?.seq ?? 0) : page.next_seq - 1;
    this.hasOlder = newest ? page.has_more : page.has_more_before;
    this.hasNewer = !newest && page.has_more;
    this.loaded = true;
  }

  loadOlder() {
    return this.hasOlder && !this.#busy ? this.exclusive(() => this.#readOlder()) : this.#busy;
  }

  loadNewer() {
    return this.hasNewer && !this.#busy ? this.exclusive(() => this.#readNewer()) : this.#busy;
  }

  /** Run one load at a time; live entries that come meanwhile are applied after it. */
  async exclusive(work) {
    while (this.#busy) await this.#busy.catch(() => null);
    this.error = null;
    this.#busy = work();
    try {
      await this.#busy;
    } catch (error) {
      this.error = error;
    } finally {
      this.#busy = null;
      for (const live of this.#during.splice(0)) live();
      this.#tell();
    }
  }

  async #readOlder() {
    const page = await this.#page({ before_seq: this.#older });
    this.messages = [...page.messages, ...this.messages];
    this.#older = page.next_seq;
    this.hasOlder = page.has_more;
    if (this.messages.length <= this.windowMax) return;
    this.messages.length = this.windowMax;
    this.#newer = this.messages.at(-1).seq;
    this.hasNewer = true;
  }

  async #readNewer() {
    const page = await this.#page({ after_seq: this.#newer });
    for (const message of page.messages) this.#put(message);
    this.#newer = Math.max(this.#newer, page.next_seq - 1);
    this.hasNewer = page.has_more;
    this.#trimOlder();
  }

  #trimOlder() {
    if (this.messages.length <= this.windowMax) return;
    this.messages = this.messages.slice(-this.windowMax);
    this.#older = this.messages[0].seq;
    this.hasOlder = true;
  }

  async #page(query) {
    const page = await api.get(historyPath(this.conversationId), { ...query, limit: PAGE, roots: true });
    await prepareFiles(page.messages);
    return page;
  }

  // --- live ---------------------------------------------------------------------------------

  /** A new message came. @returns {boolean} whether it is shown now */
  add(message) {
    if (this.#busy) {
      this.#during.push(() => this.add(message));
      return false;
    }
    this.#countReply(message);
    if (!this.loaded || this.hasNewer || !this.shows(message)) {
      this.#tell();
      return false;
    }
    this.#put(message);
    this.#newer = Math.max(this.#newer, message.seq);
    this.#trimOlder();
    this.#tell(message);
    if (message.file_ids?.length) prepareFiles([message]).then(() => this.touch(message.message_id));
    return true;
  }

  #put(message) {
    const at = this.messages.findIndex((each) => each.message_id === message.message_id);
    if (at >= 0) this.messages[at] = (message.changed_seq ?? 0) >= (this.messages[at].changed_seq ?? 0) ? message : this.messages[at];
    else {
      const after = this.messages.findLastIndex((each) => each.seq < message.seq);
      this.messages.splice(after + 1, 0, message);
    }
  }

  #countReply({ thread_id, created_at }) {
    const root = thread_id && this.find(thread_id);
    if (!root || Date.parse(root.last_reply_at ?? 0) >= Date.parse(created_at)) return; // a page read later has counted it
    this.#change(root, { reply_count: (root.reply_count ?? 0) + 1, last_reply_at: created_at });
  }

  /** An edit, delete, reaction or redact came. */
  apply(entry) {
    if (this.#busy) this.#during.push(() => this.apply(entry));
    const message = this.find(entry.message_id);
    if (!message) return;
    if (entry.kind === "reaction") {
      this.react(entry.message_id, entry.actor_id, entry.emoji, entry.on ?? true);
      return;
    }
    if (entry.seq <= (message.changed_seq ?? 0)) return; // what is shown is newer
    const text = { preview: entry.preview ?? null, has_more: entry.has_more ?? false, version: entry.version ?? 1, changed_seq: entry.seq };
    if (entry.kind === "edit") this.#change(message, { ...text, edited_at: entry.created_at });
    if (entry.kind === "redact") this.#change(message, { preview: null, has_more: false, redacted: true, reactions: [], file_ids: [], changed_seq: entry.seq });
    if (entry.kind === "delete" && !entry.restored)
      this.#change(message, { preview: null, has_more: false, deleted_at: entry.created_at, reactions: [], file_ids: [], changed_seq: entry.seq });
    if (entry.kind === "delete" && entry.restored) {
      this.#change(message, { ...text, version: entry.version ?? message.version, deleted_at: null });
      this.refetch(message.message_id); // files and reactions come back too, the entry does not name them
    }
    this.#tell();
  }

  react(messageId, userId, emoji, on) {
    const message = this.find(messageId);
    if (!message) return;
    const reactions = (message.reactions ?? []).map((each) => ({ ...each, user_ids: each.user_ids.filter((id) => each.emoji !== emoji || id !== userId) }));
    if (on) {
      const same = reactions.find((each) => each.emoji === emoji);
      if (same) same.user_ids.push(userId);
      else reactions.push({ emoji, user_ids: [userId] });
    }
    this.#change(message, { reactions: reactions.filter((each) => each.user_ids.length) });
    this.#tell();
  }

  /** Read one message again. */
  async refetch(messageId) {
    const message = await api.get(`${historyPath(this.conversationId)}/${messageId}`).catch(() => null);
    if (!message || !this.find(messageId)) return;
    await prepareFiles([message]);
    this.#put(message);
    this.#tell();
  }

  #change(message, fields) {
    const at = this.messages.indexOf(message);
    if (at >= 0) this.messages[at] = { ...message, ...fields };
  }

  /** Something shown of a message changed that is not in it: its whole text, its files. */
  touch(messageId) {
    const message = this.find(messageId);
    if (message) this.#change(message, {});
    this.#tell();
  }

  #tell(appended = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { appended } }));
  }
}

/** A thread, read whole: its root, then the replies. */
export class Thread extends Timeline {
  constructor(conversationId, rootId) {
    super(conversationId);
    this.rootId = rootId;
  }

  shows(message) {
    return message.message_id === this.rootId || message.thread_id === this.rootId;
  }

  windowMax = Infinity;

  reopen() {
    return this.open();
  }

  open() {
    return this.exclusive(async () => {
      const messages = [];
      for (let after = 0, more = true; more && messages.length < REPLIES_MAX; ) {
        const page = await api.get(`${historyPath(this.conversationId)}/${this.rootId}/thread`, { after_seq: after, limit: 200 });
        messages.push(...page.messages);
        after = page.next_seq - 1;
        more = page.has_more;
      }
      await prepareFiles(messages);
      this.messages = messages;
      this.loaded = true;
    });
  }

  add(message) {
    if (!this.shows(message)) return false;
    return super.add(message);
  }
}

/** Learn the sizes of files before they are shown, so that nothing moves; never wait long for it. */
async function prepareFiles(messages) {
  const ids = messages.flatMap((each) => each.file_ids ?? []);
  if (ids.length) await Promise.race([loadFiles(ids).catch(() => null), new Promise((resolve) => setTimeout(resolve, 2000))]);
}
