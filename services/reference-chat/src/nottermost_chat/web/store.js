/**
 * What the page knows: people, workspaces, conversations. Whoever changes something says so with `changed(topic)`.
 *
 * Topics: workspaces, conversations, users, presence, typing, invites, receipts, connection, teams.
 */

import { api } from "./api.js";

const USERS_A_CALL = 200;
const TYPING_SHOWN_MS = 5_000; // of the protocol

class Store extends EventTarget {
  me = null;
  workspaceId = null;
  workspaces = new Map();
  conversations = new Map();
  users = new Map();
  presence = new Map();
  receipts = new Map();
  teams = new Map(); // workspace_id -> TeamView[]
  levels = new Map(); // conversation_id -> ConversationNotifyView, where something was chosen
  invites = [];
  #typing = new Map();
  #wanted = new Set();
  #asked = new Set();

  changed(topic, detail = null) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  // --- people ---------------------------------------------------------------------------

  /** The user, or a stand-in while it is being read. */
  user(userId) {
    const known = this.users.get(userId);
    if (known) return known;
    if (userId && !this.#asked.has(userId)) {
      if (!this.#wanted.size) setTimeout(() => this.#readUsers());
      this.#wanted.add(userId);
      this.#asked.add(userId);
    }
    return { user_id: userId, username: "", display_name: "", title: "", bot: false, deleted: false, pending: true };
  }

  nameOf(userId) {
    const user = this.user(userId);
    return user.display_name || user.username || (user.pending ? "…" : "Unknown");
  }

  learnUsers(users) {
    for (const user of users) this.users.set(user.user_id, user);
    this.changed("users");
  }

  /** @returns {object | undefined} the known user with this name */
  userNamed(username) {
    const lower = username.toLowerCase();
    return [...this.users.values()].find((user) => user.username.toLowerCase() === lower);
  }

  async #readUsers() {
    const ids = [...this.#wanted];
    this.#wanted.clear();
    for (let at = 0; at < ids.length; at += USERS_A_CALL) {
      const part = ids.slice(at, at + USERS_A_CALL);
      try {
        this.learnUsers(await api.get("/api/users", { ids: part.join(",") }));
      } catch {
        for (const id of part) this.#asked.delete(id); // asked again when it is next shown
      }
    }
  }

  presenceOf(userId) {
    return userId === this.me?.user_id ? this.me.presence : (this.presence.get(userId)?.status ?? "offline");
  }

  // --- conversations ----------------------------------------------------------------------

  learnConversation(view) {
    const before = this.conversations.get(view.conversation_id);
    this.conversations.set(view.conversation_id, before ? Object.assign(before, view) : view);
    this.changed("conversations", view.conversation_id);
    return this.conversations.get(view.conversation_id);
  }

  forgetConversation(conversationId) {
    this.conversations.delete(conversationId);
    this.changed("conversations", conversationId);
  }

  /** The name to show: of the channel, the group, or the other person. */
  titleOf(conversation) {
    if (!conversation) return "";
    if (conversation.type !== "DM") return conversation.title || "Untitled";
    const [other] = conversation.other_user_ids;
    return other && other !== this.me.user_id ? this.nameOf(other) : `${this.nameOf(this.me.user_id)} (you)`;
  }

  /** The conversations of the side bar: a workspace's channels, and all groups and DMs, latest first. */
  listed(workspaceId) {
    const joined = [...this.conversations.values()].filter((each) => each.joined && !each.archived);
    const latest = (a, b) => (b.last_message_at ?? b.created_at ?? "").localeCompare(a.last_message_at ?? a.created_at ?? "");
    return {
      channels: joined
        .filter((each) => each.type === "CHANNEL" && each.workspace_id === workspaceId)
        .sort((a, b) => (a.title ?? "").localeCompare(b.title ?? "")),
      groups: joined.filter((each) => each.type === "GROUP").sort(latest),
      dms: joined.filter((each) => each.type === "DM").sort(latest),
    };
  }

  /** What the conversation may notify of now: "all", "mentions" or "none". */
  levelOf({ conversation_id, type }) {
    const chosen = this.levels.get(conversation_id);
    if (chosen && (!chosen.until || Date.parse(chosen.until) > Date.now())) return chosen.notify;
    return type === "CHANNEL" ? "mentions" : "all";
  }

  notifies(conversation, mentioned) {
    const level = this.levelOf(conversation);
    return level === "all" || (level === "mentions" && mentioned);
  }

  /** What wants attention: mentions, and everything unread in DMs and groups; nothing where it is muted. */
  badge(conversation) {
    if (this.levelOf(conversation) === "none") return 0;
    return conversation.type === "CHANNEL" ? conversation.mention_count : conversation.unread_count;
  }

  get workspace() {
    return this.workspaces.get(this.workspaceId);
  }

  get isAdmin() {
    return ["owner", "admin"].includes(this.workspace?.role);
  }

  // --- typing -----------------------------------------------------------------------------

  noteTyping({ conversation_id, user_id, thread_id = null }) {
    const key = `${conversation_id} ${thread_id ?? ""}`;
    const people = this.#typing.get(key) ?? new Map();
    this.#typing.set(key, people.set(user_id, Date.now() + TYPING_SHOWN_MS));
    this.changed("typing");
    setTimeout(() => this.changed("typing"), TYPING_SHOWN_MS + 50);
  }

  /** A message came, so its author no longer types. */
  endTyping(conversationId, threadId, userId) {
    if (this.#typing.get(`${conversationId} ${threadId ?? ""}`)?.delete(userId)) this.changed("typing");
  }

  typingIn(conversationId, threadId = null) {
    const people = this.#typing.get(`${conversationId} ${threadId ?? ""}`) ?? new Map();
    return [...people].filter(([, until]) => until > Date.now()).map(([userId]) => userId);
  }

  // --- receipts ---------------------------------------------------------------------------

  /** Watermarks only rise: a lower one, or 0 for what did not move, tells nothing. */
  learnReceipts(conversationId, receipts) {
    const known = this.receipts.get(conversationId) ?? new Map();
    for (const { user_id, delivered_seq, read_seq } of receipts) {
      const before = known.get(user_id) ?? { delivered_seq: 0, read_seq: 0 };
      known.set(user_id, { delivered_seq: Math.max(delivered_seq, before.delivered_seq), read_seq: Math.max(read_seq, before.read_seq) });
    }
    this.receipts.set(conversationId, known);
    this.changed("receipts", conversationId);
  }

  /** How far an own message got: "sent", "delivered" or "read" once every other member's device or eyes had it. */
  deliveryOf(conversationId, seq) {
    const others = this.othersReceipts(conversationId);
    if (!others.length) return "sent";
    if (others.every(([, receipt]) => receipt.read_seq >= seq)) return "read";
    return others.every(([, receipt]) => Math.max(receipt.delivered_seq, receipt.read_seq) >= seq) ? "delivered" : "sent";
  }

  othersReceipts(conversationId) {
    return [...(this.receipts.get(conversationId) ?? [])].filter(([userId]) => userId !== this.me.user_id);
  }

  clear() {
    this.me = this.workspaceId = null;
    for (const map of [this.workspaces, this.conversations, this.users, this.presence, this.receipts, this.teams, this.levels, this.#typing]) map.clear();
    this.#asked.clear();
    this.invites = [];
  }
}

export const store = new Store();
