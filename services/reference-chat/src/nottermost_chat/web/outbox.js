/**
 * Messages on their way out. One unacknowledged send a conversation, repeated with the same
 * client_msg_id until it is acknowledged; kept in IndexedDB, so that a reload loses nothing.
 */

import { ApiError } from "./api.js";
import { newId } from "./dom.js";
import { socket } from "./socket.js";
import { store } from "./store.js";

const REPEAT_AFTER_MS = 10_000; // no answer for so long is "unknown", never "failed"
const UNAVAILABLE_WAIT_MS = 2_000;
const RETRIED = new Set(["rate_limited", "unavailable"]);

/** Events: `change` (detail: conversation_id), `unconfirmed` (acknowledged, but its echo did not come). */
class Outbox extends EventTarget {
  items = []; // {client_msg_id, user_id, conversation_id, body, thread_id, broadcast, file_ids, created_at, state, error, seq}
  #flights = new Map(); // conversation_id -> {id, timer}
  #database = null;

  async start(userId) {
    try {
      this.#database = await openDatabase();
      const kept = await done(this.#objects("readonly").getAll());
      this.items = kept.filter((item) => item.user_id === userId).sort((a, b) => a.created_at.localeCompare(b.created_at));
    } catch {
      this.#database = null; // private windows may refuse: then they live as long as the page
    }
    this.pump();
  }

  /** @param {{conversation_id: string, body: string, thread_id?: string, broadcast?: boolean, file_ids?: string[]}} message */
  add(message) {
    const item = {
      thread_id: null,
      broadcast: false,
      file_ids: [],
      ...message,
      client_msg_id: newId(),
      user_id: store.me.user_id,
      created_at: new Date().toISOString(),
      state: "waiting",
    };
    this.items.push(item);
    this.#keep(item);
    this.#changed(item);
    this.pump();
    return item;
  }

  /** Those of a conversation (or thread) that its history does not show yet. */
  pendingIn(conversationId, threadId = null) {
    return this.items.filter((item) => item.conversation_id === conversationId && (item.thread_id === threadId || (!threadId && item.broadcast)));
  }

  retry(item) {
    Object.assign(item, { state: "waiting", error: null });
    this.#keep(item);
    this.#changed(item);
    this.pump();
  }

  discard(item) {
    this.#remove(item);
    this.pump();
  }

  /** Send the first waiting message of each conversation that has none under way. */
  pump() {
    for (const item of this.items) {
      const { conversation_id: id, client_msg_id, body, thread_id, broadcast, file_ids } = item;
      if (item.state !== "waiting" || this.#flights.has(id)) continue;
      if (!socket.send({ type: "message:send", conversation_id: id, client_msg_id, body, thread_id, broadcast, file_ids })) return;
      this.#flights.set(id, { id: client_msg_id, timer: setTimeout(() => this.#repeat(id), REPEAT_AFTER_MS) });
    }
  }

  /** The connection ended: what was under way is unknown, so it goes out again. */
  disconnected() {
    for (const id of [...this.#flights.keys()]) this.#land(id);
  }

  acknowledged(frame) {
    const item = this.items.find((each) => each.client_msg_id === frame.client_msg_id);
    if (!item) return;
    this.#land(item.conversation_id);
    Object.assign(item, { state: "sent", seq: frame.seq, message_id: frame.message_id });
    this.#forget(item);
    this.#changed(item);
    setTimeout(() => this.items.includes(item) && this.dispatchEvent(new CustomEvent("unconfirmed", { detail: item })), 3000);
    this.pump();
  }

  /** The message came back as everybody sees it. @returns the item it was */
  confirmed(clientMsgId) {
    const item = this.items.find((each) => each.client_msg_id === clientMsgId);
    if (!item) return null;
    if (item.state !== "sent") this.#land(item.conversation_id);
    this.#remove(item);
    this.pump();
    return item;
  }

  /** @returns {boolean} whether the error was about a message of ours */
  refused(frame) {
    const item = this.items.find((each) => each.client_msg_id === frame.client_msg_id);
    if (!item) return false;
    if (RETRIED.has(frame.code)) {
      const flight = this.#flights.get(item.conversation_id); // stays, so that nothing overtakes it
      if (flight) {
        clearTimeout(flight.timer);
        flight.timer = setTimeout(() => this.#repeat(item.conversation_id), frame.retry_after_ms ?? UNAVAILABLE_WAIT_MS);
      }
    } else {
      this.#land(item.conversation_id);
      Object.assign(item, { state: "failed", error: new ApiError({ detail: frame.message }, 0).message });
      this.#keep(item);
      this.#changed(item);
      this.pump();
    }
    return true;
  }

  async clear() {
    this.disconnected();
    this.items = [];
    if (this.#database) await done(this.#objects("readwrite").clear()).catch(() => null);
  }

  #repeat(conversationId) {
    this.#land(conversationId);
    this.pump();
  }

  #land(conversationId) {
    clearTimeout(this.#flights.get(conversationId)?.timer);
    this.#flights.delete(conversationId);
  }

  #remove(item) {
    this.items = this.items.filter((each) => each !== item);
    this.#forget(item);
    this.#changed(item);
  }

  #changed(item) {
    this.dispatchEvent(new CustomEvent("change", { detail: item.conversation_id }));
  }

  #keep(item) {
    if (this.#database) this.#objects("readwrite").put(item);
  }

  #forget(item) {
    if (this.#database) this.#objects("readwrite").delete(item.client_msg_id);
  }

  #objects(mode) {
    return this.#database.transaction("pending", mode).objectStore("pending");
  }
}

function openDatabase() {
  const request = indexedDB.open("nottermost", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("pending", { keyPath: "client_msg_id" });
  return done(request);
}

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export const outbox = new Outbox();
