/** Keeps the store and the open timelines equal to the server: frames in, gaps closed, cursors out. */

import { api, ApiError } from "./api.js";
import { announce, latest, newId } from "./dom.js";
import { plainText } from "./markup.js";
import { notify } from "./notify.js";
import { outbox } from "./outbox.js";
import { socket } from "./socket.js";
import { store } from "./store.js";
import { learnBody, Timeline } from "./timeline.js";

const RESUME_MAX = 200; // of the protocol
const WATCH_MAX = 200;
const RECEIPT_MEMBERS_MAX = 100;
const TIMELINES_MAX = 10;
const CURSOR_EVERY_MS = 600;
const LISTS_EVERY_MS = 600_000; // frames tell of invites and workspaces; one may be lost, and invites end by time
const AWAY_MS = 60_000; // who comes back after longer sees fresh lists
const COUNT_AFTER_MS = 1_000; // a device that scrolls tells of every second
const OPERATION_REPEAT_MS = 10_000;
const BODY_CHARS_KEPT = 200; // a preview holds this much; longer own texts are kept, so that they show whole

const COUNTS = ["unread_count", "mention_count", "read_seq"]; // fields of a conversation that live entries move
const LAST = ["last_seq", "last_preview", "last_message_at", "last_has_more", "last_sender_id"];
const NEVER = "2999-01-01T00:00:00Z";

class Sync {
  #positions = new Map(); // conversation_id -> [epoch, seq] up to which entries were applied
  #resuming = new Set();
  #timelines = new Map(); // the one used last is last
  #threads = new Set();
  #operations = new Map(); // client_msg_id -> {frame, resolve, reject, timer}
  #screen = new Map(); // what a part of the page shows -> user ids
  #cursors = new Map(); // "read id" / "delivered id" -> frame
  #cursorTimer = 0;
  #watchTimer = 0;
  #watched = ""; // what the server was last asked to watch
  #refetching = new Map();
  #recounts = new Map(); // conversation_id -> timer: its counts are read again
  #asOf = "";
  #away = 0;
  #poll = 0;
  openId = null; // the conversation on the screen

  constructor() {
    socket.addEventListener("frame", ({ detail }) => this.#receive(detail));
    socket.addEventListener("state", () => this.#connectionChanged());
    outbox.addEventListener("unconfirmed", ({ detail }) => this.#resume([detail.conversation_id]));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#away = Date.now();
      else if (store.me && Date.now() - this.#away > AWAY_MS) this.refreshLists();
    });
  }

  /** Read everything that the side bar shows, then go live. */
  async start() {
    const [conversations, { as_of }] = await Promise.all([
      api.get("/api/chats/conversations"),
      api.get("/api/chats/conversations", { changed_since: NEVER }), // nothing but the server's clock
      this.refreshWorkspaces(),
      this.refreshInvites(),
      this.refreshLevels(),
    ]);
    this.#asOf = as_of;
    for (const view of conversations) this.learn(view);
    await outbox.start(store.me.user_id);
    socket.connect();
    this.#poll = setInterval(() => document.visibilityState === "visible" && this.refreshLists({ all: false }), LISTS_EVERY_MS);
  }

  stop() {
    clearInterval(this.#poll);
    socket.stop();
    this.#recounts.forEach(clearTimeout);
    for (const map of [this.#positions, this.#timelines, this.#operations, this.#screen, this.#cursors, this.#threads, this.#resuming, this.#recounts]) map.clear();
  }

  // --- lists over REST ----------------------------------------------------------------------

  refreshWorkspaces = latest(async () => {
    const views = await api.get("/api/workspaces");
    store.workspaces = new Map(views.map((view) => [view.workspace_id, view]));
    store.changed("workspaces");
  });

  refreshInvites = latest(async () => {
    store.invites = await api.get("/api/chats/invites");
    store.changed("invites");
  });

  /** What conversations may notify of, where something was chosen. */
  refreshLevels = latest(async () => {
    const { conversations } = await api.get("/api/notifications/settings");
    store.levels = new Map(conversations.map((each) => [each.conversation_id, each]));
    store.changed("conversations");
  });

  refreshMe = latest(async () => {
    Object.assign(store.me, await api.get("/api/users/me"));
    store.learnUsers([store.me]);
  });

  refreshLists({ all = true } = {}) {
    const work = [this.refreshInvites(), this.refreshWorkspaces()];
    if (all) work.push(api.get("/api/chats/conversations").then((views) => views.forEach((view) => this.learn(view))));
    return Promise.all(work).catch(() => null); // the next round reads them
  }

  async refreshTeams(workspaceId) {
    store.teams.set(workspaceId, await api.get(`/api/workspaces/${workspaceId}/teams`));
    store.changed("teams");
  }

  /** Read one conversation again; calls within a second become one, except those that need it `fresh`. */
  refetch(conversationId, { fresh = false } = {}) {
    if (!fresh && this.#refetching.has(conversationId)) return this.#refetching.get(conversationId);
    const work = api
      .get(`/api/chats/conversations/${conversationId}`)
      .then((view) => this.learn(view))
      .catch((error) => {
        if (error.status === 403 || error.status === 404) this.#left(conversationId);
      })
      .finally(() => setTimeout(() => this.#refetching.get(conversationId) === work && this.#refetching.delete(conversationId), 500));
    this.#refetching.set(conversationId, work);
    return work;
  }

  /** Take over a view; its counts only where it is no older than what live entries told, and entries it is ahead by are fetched. */
  learn(view) {
    const id = view.conversation_id;
    if (!view.joined) {
      this.#left(id);
      return store.learnConversation(view);
    }
    const position = this.#positions.get(id);
    const at = [view.epoch ?? 1, view.last_seq ?? 0];
    const order = position ? compare(at, position) : 1;
    const counted = !position || order === 0 || (order > 0 && !this.#timelines.has(id));
    if (counted) this.#positions.set(id, at);
    else if (order > 0) this.#resume([id]);
    const before = store.conversations.get(id)?.read_seq ?? 0;
    const current = counted && before <= view.read_seq; // else we have read on since the server wrote this
    const stale = current ? [] : counted ? COUNTS : [...COUNTS, ...LAST];
    const conversation = store.learnConversation(Object.fromEntries(Object.entries(view).filter(([name]) => !stale.includes(name))));
    if (!current) {
      conversation.read_seq = Math.max(before, view.read_seq); // this much of it is right whatever else is not
      this.#recount(conversation);
    }
    if (conversation.type === "DM") conversation.other_user_ids.forEach((userId) => store.user(userId));
    if (view.workspace_id && !store.workspaces.has(view.workspace_id)) this.refreshWorkspaces().catch(() => null);
    if (counted && conversation.unread_count) this.#delivered(conversation, at[1]);
    return conversation;
  }

  #left(conversationId) {
    this.#positions.delete(conversationId);
    this.#timelines.delete(conversationId);
    store.forgetConversation(conversationId);
  }

  // --- timelines ------------------------------------------------------------------------------

  /** The timeline of a conversation, as it was left or new. */
  timeline(conversationId) {
    const timeline = this.#timelines.get(conversationId) ?? new Timeline(conversationId);
    this.#timelines.delete(conversationId);
    this.#timelines.set(conversationId, timeline);
    for (const id of this.#timelines.keys()) {
      if (this.#timelines.size <= TIMELINES_MAX) break;
      if (id !== this.openId) this.#timelines.delete(id);
    }
    return timeline;
  }

  follow = (thread) => this.#threads.add(thread);
  unfollow = (thread) => this.#threads.delete(thread);

  #views(conversationId) {
    const threads = [...this.#threads].filter((each) => each.conversationId === conversationId);
    const timeline = this.#timelines.get(conversationId);
    return timeline ? [timeline, ...threads] : threads;
  }

  async loadReceipts(conversation) {
    if (conversation.member_count > RECEIPT_MEMBERS_MAX) return;
    const receipts = await api.get(`/api/messages/conversations/${conversation.conversation_id}/receipts`).catch(() => []);
    store.learnReceipts(conversation.conversation_id, receipts);
  }

  // --- connection -----------------------------------------------------------------------------

  #connectionChanged() {
    if (socket.state === "open") this.#catchUp();
    if (["waiting", "stopped", "idle"].includes(socket.state)) {
      this.#watched = "";
      this.#resuming.clear();
      outbox.disconnected();
    }
    store.changed("connection");
  }

  async #catchUp() {
    const recent = [...store.conversations.values()]
      .filter((each) => each.joined)
      .sort((a, b) => (b.last_message_at ?? "").localeCompare(a.last_message_at ?? ""))
      .map((each) => each.conversation_id);
    const first = [this.openId, ...this.#timelines.keys()].filter((id) => this.#positions.has(id));
    this.#resume([...new Set([...first, ...recent])].slice(0, RESUME_MAX));
    this.#sendWatch();
    const open = store.conversations.get(this.openId);
    if (open) this.loadReceipts(open);
    for (const { frame } of this.#operations.values()) socket.send(frame);
    outbox.pump();
    this.refreshLists({ all: false }); // what was told meanwhile is told to nobody again
    try {
      const { conversations, reset, as_of } = await api.get("/api/chats/conversations", { changed_since: this.#asOf });
      this.#asOf = as_of;
      for (const view of reset ? await api.get("/api/chats/conversations") : conversations) this.learn(view);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // else: the next connection asks again, from the same time
    }
  }

  #resume(conversationIds) {
    const ids = conversationIds.filter((id) => this.#positions.has(id) && !this.#resuming.has(id));
    if (!ids.length) return;
    const conversations = Object.fromEntries(ids.map((id) => [id, this.#positions.get(id)]));
    if (socket.send({ type: "resume", conversations })) ids.forEach((id) => this.#resuming.add(id));
  }

  // --- frames -----------------------------------------------------------------------------------

  #receive(frame) {
    switch (frame.type) {
      case "message:new":
      case "entry:new":
        return this.#live(frame);
      case "message:ack":
        return this.#acknowledged(frame);
      case "resumed":
        return frame.conversations.forEach((each) => this.#resumed(each));
      case "receipt:changed":
        return store.learnReceipts(frame.conversation_id, [frame]);
      case "me:changed":
        return this.#changed(frame.what);
      case "me:read":
        return this.#readElsewhere(frame);
      case "typing":
        return frame.user_id !== store.me.user_id && store.noteTyping(frame);
      case "presence:changed":
        for (const entry of frame.users) {
          store.presence.set(entry.user_id, entry);
          if (entry.user_id === store.me.user_id) store.me.presence = entry.status;
        }
        return store.changed("presence");
      case "error":
        return this.#refused(frame);
      default:
        return undefined; // authenticated, pong, server:drain: the socket's own
    }
  }

  #live(frame) {
    const id = frame.conversation_id;
    const position = this.#positions.get(id);
    if (!position) return this.#unknown(frame);
    if (this.#resuming.has(id) || compare([frame.epoch, frame.seq], position) <= 0) return undefined;
    if (frame.epoch !== position[0] || frame.seq !== position[1] + 1) return this.#resume([id]);
    this.#positions.set(id, [frame.epoch, frame.seq]);
    return this.#apply(frame, { live: true });
  }

  /** Something of a conversation that is not in the list: we were added to it, or it is being forgotten. */
  async #unknown(frame) {
    const left = frame.changes?.some((change) => change.user_id === store.me.user_id && !change.role);
    if (left) return;
    this.refreshWorkspaces().catch(() => null); // it may come with a workspace that we were added to
    const conversation = await this.refetch(frame.conversation_id);
    if (conversation && frame.type === "message:new" && frame.sender_id !== store.me.user_id) notify(conversation, frame);
  }

  #resumed({ conversation_id: id, position, entries = [], reset = false }) {
    this.#resuming.delete(id);
    if (reset) return this.#startOver(id);
    for (const entry of entries) {
      if (compare([entry.epoch, entry.seq], this.#positions.get(id) ?? [0, 0]) <= 0) continue;
      this.#positions.set(id, [entry.epoch, entry.seq]);
      this.#apply(entry, { live: false });
    }
    this.#positions.set(id, position);
  }

  /** More is missing than is sent again. First the conversation, then its messages: so none falls between the two. */
  async #startOver(id) {
    this.#positions.delete(id);
    if (id !== this.openId) this.#timelines.delete(id);
    await this.refetch(id, { fresh: true });
    this.#views(id).forEach((view) => view.reopen());
  }

  #apply(entry, { live }) {
    const conversation = store.conversations.get(entry.conversation_id);
    if (!conversation) return;
    conversation.last_seq = entry.seq;
    conversation.epoch = entry.epoch;
    if (entry.type === "message:new") this.#message(conversation, entry, live);
    else if (entry.kind === "membership") this.#membership(conversation, entry);
    else {
      this.#views(entry.conversation_id).forEach((view) => view.apply(entry));
      this.#settle(entry.client_msg_id);
      if (entry.kind !== "reaction" && entry.target_seq === conversation.last_message_seq) conversation.last_preview = entry.preview ?? null;
    }
    store.changed("conversations", entry.conversation_id);
  }

  #message(conversation, message, live) {
    const mine = message.sender_id === store.me.user_id;
    const sent = mine && outbox.confirmed(message.client_msg_id);
    if (sent && message.has_more) learnBody(message.message_id, 1, sent.body);
    this.#views(message.conversation_id).forEach((view) => view.add(message));
    store.endTyping(message.conversation_id, message.thread_id, message.sender_id);
    if (!message.thread_id || message.broadcast)
      Object.assign(conversation, {
        last_preview: message.preview,
        last_has_more: message.has_more,
        last_message_at: message.created_at,
        last_sender_id: message.sender_id,
        last_message_seq: message.seq,
      });
    if (mine) {
      Object.assign(conversation, { unread_count: 0, mention_count: 0, read_seq: message.seq });
      return;
    }
    this.#delivered(conversation, message.seq);
    const mentioned = message.mention_channel || message.mentions?.includes(store.me.user_id);
    const readElsewhere = message.seq <= conversation.read_seq; // another device was quicker
    if (!readElsewhere) conversation.unread_count += 1;
    if (!readElsewhere && mentioned) conversation.mention_count += 1;
    if (!live) return;
    if (!readElsewhere) notify(conversation, message, { mentioned });
    if (message.conversation_id === this.openId) announce(`${store.nameOf(message.sender_id)}: ${plainText(message.preview ?? "")}`);
  }

  #membership(conversation, entry) {
    const me = entry.changes?.find((change) => change.user_id === store.me.user_id);
    if (me && !me.role) {
      this.#left(conversation.conversation_id);
      store.changed("removed", { conversation, byMe: entry.actor_id === store.me.user_id });
      return;
    }
    if (me) conversation.role = me.role;
    for (const [name, value] of Object.entries(entry.settings ?? {})) if (value !== null) conversation[name] = value;
    if (entry.changes?.length) {
      this.refetch(conversation.conversation_id);
      store.changed("members", conversation.conversation_id);
    }
  }

  #changed(what) {
    const read = { invites: this.refreshInvites, workspaces: this.refreshWorkspaces, profile: this.refreshMe, notifications: this.refreshLevels }[what];
    read?.().catch(() => null); // the next connect or round reads it
  }

  /** On another device; of what is read here the page knows already. */
  #readElsewhere({ conversation_id: id, seq }) {
    const conversation = store.conversations.get(id);
    if (!conversation || seq <= conversation.read_seq) return;
    conversation.read_seq = seq;
    clearTimeout(this.#recounts.get(id));
    if (seq < conversation.last_seq) this.#recounts.set(id, setTimeout(() => this.refetch(id, { fresh: true }), COUNT_AFTER_MS));
    this.#recount(conversation);
  }

  // --- operations: edit, delete, restore, react -------------------------------------------------

  /** Ask for a change; it is repeated with the same id until it is answered. @throws {ApiError} when it is refused */
  operate(frame) {
    const client_msg_id = newId();
    const operation = { frame: { ...frame, client_msg_id } };
    this.#operations.set(client_msg_id, operation);
    operation.transmit = () => {
      socket.send(operation.frame);
      operation.timer = setTimeout(operation.transmit, OPERATION_REPEAT_MS);
    };
    operation.transmit();
    return new Promise((resolve, reject) => Object.assign(operation, { resolve, reject }));
  }

  async edit(message, body) {
    const { conversation_id, message_id } = message;
    if ([...body].length > BODY_CHARS_KEPT) learnBody(message_id, (message.version ?? 1) + 1, body);
    await this.operate({ type: "message:edit", conversation_id, message_id, body });
  }

  remove = ({ conversation_id, message_id }) => this.operate({ type: "message:delete", conversation_id, message_id, restore: false });
  restore = ({ conversation_id, message_id }) => this.operate({ type: "message:delete", conversation_id, message_id, restore: true });

  /** Shown at once; taken back if it is refused. */
  async react({ conversation_id, message_id }, emoji, on) {
    const views = this.#views(conversation_id);
    views.forEach((view) => view.react(message_id, store.me.user_id, emoji, on));
    try {
      await this.operate({ type: "reaction:set", conversation_id, message_id, emoji, on });
    } catch (error) {
      views.forEach((view) => view.react(message_id, store.me.user_id, emoji, !on));
      throw error;
    }
  }

  #acknowledged(frame) {
    outbox.acknowledged(frame);
    this.#settle(frame.client_msg_id);
  }

  #settle(clientMsgId) {
    const operation = this.#operations.get(clientMsgId);
    if (!operation) return;
    clearTimeout(operation.timer);
    this.#operations.delete(clientMsgId);
    operation.resolve();
  }

  #refused(frame) {
    const operation = this.#operations.get(frame.client_msg_id);
    if (operation && (frame.code === "rate_limited" || frame.code === "unavailable")) {
      clearTimeout(operation.timer);
      operation.timer = setTimeout(operation.transmit, frame.retry_after_ms ?? 2000);
    } else if (operation) {
      clearTimeout(operation.timer);
      this.#operations.delete(frame.client_msg_id);
      operation.reject(new ApiError({ detail: frame.message, code: frame.code, retry_after_ms: frame.retry_after_ms }, 0));
    } else if (!outbox.refused(frame)) console.warn(`refused: ${frame.code}`);
  }

  // --- cursors, typing, what is on the screen -----------------------------------------------------

  /** Everything up to `seq` was really seen. */
  seen(conversationId, seq) {
    const conversation = store.conversations.get(conversationId);
    if (!conversation?.joined || seq <= conversation.read_seq) return;
    conversation.read_seq = seq;
    this.#recount(conversation);
    this.#move("read", conversationId, seq);
  }

  #recount(conversation) {
    const timeline = this.#timelines.get(conversation.conversation_id);
    const unread = (each) => each.seq > conversation.read_seq && each.sender_id !== store.me.user_id;
    if (conversation.read_seq >= conversation.last_seq) Object.assign(conversation, { unread_count: 0, mention_count: 0 });
    else if (timeline?.loaded && !timeline.hasNewer) {
      const left = timeline.messages.filter(unread);
      conversation.unread_count = Math.min(conversation.unread_count, left.length);
      const mentions = left.filter((each) => each.mention_channel || each.mentions?.includes(store.me.user_id));
      conversation.mention_count = Math.min(conversation.mention_count, mentions.length);
    }
    store.changed("conversations", conversation.conversation_id);
  }

  #delivered(conversation, seq) {
    if (conversation.member_count <= RECEIPT_MEMBERS_MAX) this.#move("delivered", conversation.conversation_id, seq);
  }

  /** Cursors only rise, so the latest one of each stands for all before it. */
  #move(type, conversation_id, seq) {
    this.#cursors.set(`${type} ${conversation_id}`, { type, conversation_id, seq });
    this.#cursorTimer ||= setTimeout(() => this.#sendCursors(), CURSOR_EVERY_MS);
  }

  #sendCursors() {
    this.#cursorTimer = 0;
    for (const [key, frame] of this.#cursors) {
      if (socket.send(frame)) this.#cursors.delete(key);
      else {
        this.#cursorTimer = setTimeout(() => this.#sendCursors(), 5_000);
        return;
      }
    }
  }

  typing(conversation_id, thread_id = null) {
    socket.send({ type: "typing", conversation_id, thread_id });
  }

  /** Part `name` of the page shows these people now. */
  show(name, userIds) {
    this.#screen.set(name, userIds);
    clearTimeout(this.#watchTimer);
    this.#watchTimer = setTimeout(() => this.#sendWatch(), 300);
  }

  open(conversationId) {
    this.openId = conversationId;
    this.show("conversation", this.#screen.get("conversation") ?? []);
  }

  #sendWatch() {
    const user_ids = [...new Set([store.me?.user_id, ...[...this.#screen.values()].flat()])].filter(Boolean).slice(0, WATCH_MAX);
    const frame = { type: "presence:watch", user_ids, conversation_id: this.openId };
    const watched = JSON.stringify(frame);
    if (watched !== this.#watched && socket.send(frame)) this.#watched = watched;
  }
}

/** Compare two positions as pairs. */
const compare = (a, b) => a[0] - b[0] || a[1] - b[1];

export const sync = new Sync();
