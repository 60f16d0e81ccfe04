/** One message as a list item. Clicks are handled by the list, through `data-action`. */

import { counted, h, icon } from "../dom.js";
import { emojiLabel, reactionText } from "../emoji.js";
import { renderMarkup } from "../markup.js";
import { conversationPath } from "../router.js";
import { store } from "../store.js";
import { formatClock, formatFull, formatShort } from "../time.js";
import { isWhole, textOf } from "../timeline.js";
import { attachments, attachmentsStamp } from "./attachments.js";
import { avatar } from "./person.js";

const UNDO_MS = 7 * 24 * 3600 * 1000; // of the protocol: afterwards the text is gone
const STATES = { waiting: "Waiting to be sent", sent: "Sent", delivered: "Delivered", read: "Read", failed: "Not sent" };

export const timeOf = (message) => message.sent_at ?? message.created_at;

/** How a message stands: those of others are simply there. */
export function stateOf(message) {
  if (message.pending) return message.state;
  return message.sender_id === store.me.user_id ? store.deliveryOf(message.conversation_id, message.seq) : "received";
}

export function mentionsMe(message) {
  return message.sender_id !== store.me.user_id && Boolean(message.mention_channel || message.mentions?.includes(store.me.user_id));
}

/** Everything that the item depends on besides the message object itself. */
export function messageStamp(message) {
  const people = [message.sender_id, ...(message.mentions ?? []), ...(message.reactions ?? []).flatMap((each) => each.user_ids.slice(0, 3))];
  return [people.map((id) => store.nameOf(id)).join(), stateOf(message), isWhole(message), attachmentsStamp(message.file_ids ?? [])].join("\u0001");
}

/**
 * @param {object} message
 * @param {{grouped: boolean, inThread: boolean, canModerate: boolean}} context
 */
export function renderMessage(message, { grouped, inThread, canModerate }) {
  const state = stateOf(message);
  const mine = message.sender_id === store.me.user_id;
  const kinds = { message: true, grouped, "mentions-me": mentionsMe(message), note: message.note, pending: message.pending, failed: state === "failed" };
  const time = timeOf(message);
  const clock = h("time", { datetime: time, title: formatFull(time) }, formatClock(time));
  return h(
    "li",
    {
      class: Object.keys(kinds).filter((kind) => kinds[kind]).join(" "),
      tabindex: "-1",
      "data-message-id": message.message_id ?? "",
      "data-seq": message.seq ?? "",
      "data-state": state,
      "data-mine": mine,
    },
    h("div", { class: "gutter" }, grouped ? clock : avatar(message.sender_id)),
    h(
      "div",
      { class: "content" },
      header(message, grouped, clock),
      message.broadcast && !inThread && h("button", { class: "link also", "data-action": "thread" }, icon("thread", 14), "replied to a thread"),
      body(message, canModerate || mine),
      message.file_ids?.length && !message.deleted_at ? attachments(message.file_ids) : null,
      message.reactions?.length ? reactions(message) : null,
      message.reply_count && !inThread ? threadBar(message) : null,
      state === "failed" && failure(message),
    ),
    mine && !message.note && !message.deleted_at && !message.redacted ? ticks(state, message) : null,
  );
}

function header(message, grouped, clock) {
  const name = store.nameOf(message.sender_id);
  if (grouped) return h("span", { class: "visually-hidden" }, `${name}:`);
  return h(
    "div",
    { class: "byline" },
    h("button", { class: "author", "data-action": "author", dir: "auto" }, name),
    store.user(message.sender_id).bot && h("span", { class: "tag" }, "BOT"),
    clock,
  );
}

function body(message, mayUndo) {
  if (message.redacted) return h("p", { class: "gone" }, "This message was removed.");
  if (message.deleted_at) {
    const inTime = Date.now() - Date.parse(message.deleted_at) < UNDO_MS;
    return h("p", { class: "gone" }, "This message was deleted. ", mayUndo && inTime && h("button", { class: "link", "data-action": "undo" }, "Undo"));
  }
  const text = textOf(message);
  const whole = isWhole(message);
  const context = { mention: (name) => findMention(name, message), channel: (name) => findChannel(name, message) };
  return h(
    "div",
    { class: "text" },
    renderMarkup(whole ? text : `${text}…`, context),
    message.edited_at && h("span", { class: "edited", title: `Edited ${formatFull(message.edited_at)}` }, "(edited)"),
    !whole && h("button", { class: "link read-more", "data-action": "more" }, "Read more"),
  );
}

/** Who or what an `@name` means, or null where it means nobody. */
function findMention(name, message) {
  const lower = name.toLowerCase();
  const mentions = message.mentions ?? [];
  const me = mentions.includes(store.me.user_id);
  if (["channel", "everyone", "here", "all"].includes(lower)) return message.mention_channel || message.pending ? { label: name, me: true } : null;
  const user = mentions.map((id) => store.user(id)).find((each) => each.username.toLowerCase() === lower) ?? store.userNamed(name);
  if (user) return { label: user.display_name || user.username, title: `@${user.username}`, me: user.user_id === store.me.user_id, userId: user.user_id };
  const team = (store.teams.get(store.workspaceId) ?? []).find((each) => each.name.toLowerCase() === lower);
  return team ? { label: team.name, me: me && team.member_ids.includes(store.me.user_id) } : null;
}

function findChannel(name, message) {
  const workspaceId = store.conversations.get(message.conversation_id)?.workspace_id ?? store.workspaceId;
  const channel = store.listed(workspaceId).channels.find((each) => each.title?.toLowerCase() === name.toLowerCase());
  return channel ? { label: channel.title, href: conversationPath(channel, workspaceId) } : null;
}

/** Reactions that look the same are one, whatever they were called where they came from. */
export function mergeReactions(reactions) {
  const merged = new Map();
  for (const { emoji, user_ids } of reactions) {
    const shown = reactionText(emoji);
    const one = merged.get(shown) ?? { shown, user_ids: [], values: new Map() };
    for (const id of user_ids) {
      if (!one.user_ids.includes(id)) one.user_ids.push(id);
      if (id === store.me.user_id) one.values.set(emoji, true);
    }
    merged.set(shown, one);
  }
  return [...merged.values()].map((one) => ({ ...one, mine: [...one.values.keys()] }));
}

function reactions(message) {
  return h(
    "div",
    { class: "reactions" },
    mergeReactions(message.reactions).map(({ shown, user_ids, mine }) => {
      const names = user_ids.slice(0, 12).map((id) => (id === store.me.user_id ? "you" : store.nameOf(id)));
      const who = names.join(", ") + (user_ids.length > 12 ? ` and ${user_ids.length - 12} more` : "");
      const props = {
        class: mine.length ? "reaction mine" : "reaction",
        "data-action": "reaction",
        "data-emoji": shown,
        "aria-pressed": String(mine.length > 0),
        "aria-label": `${emojiLabel(shown)}, ${user_ids.length}: ${who}`,
        title: `${who} · ${emojiLabel(shown)}`,
      };
      return h("button", props, h("span", { class: "emoji" }, shown), h("span", {}, String(user_ids.length)));
    }),
    h("button", { class: "reaction add", "data-action": "react", "aria-label": "Add reaction", title: "Add reaction" }, icon("react", 16)),
  );
}

function threadBar(message) {
  const replies = counted(message.reply_count, "reply", "replies");
  return h(
    "button",
    { class: "thread-bar", "data-action": "thread", "aria-label": `${replies}, open thread` },
    icon("thread", 16),
    h("strong", {}, replies),
    message.last_reply_at && h("span", { class: "dim" }, `Last ${formatShort(message.last_reply_at)}`),
  );
}

function failure(message) {
  return h(
    "p",
    { class: "problem", role: "alert" },
    message.error ?? "Not sent.",
    " ",
    h("button", { class: "link", "data-action": "retry" }, "Try again"),
    " ",
    h("button", { class: "link", "data-action": "discard" }, "Discard"),
  );
}

/** A clock while it waits, one tick when it is stored, two when all devices have it, coloured when all have read it. */
function ticks(state, message) {
  const others = message.pending ? [] : store.othersReceipts(message.conversation_id);
  const read = others.filter(([, receipt]) => receipt.read_seq >= message.seq).length;
  const label = others.length > 1 && read ? `${STATES[state]}; read by ${read} of ${others.length}` : STATES[state];
  const text = { waiting: "○", failed: "!", sent: "✓", delivered: "✓✓", read: "✓✓" }[state];
  return h("span", { class: `ticks ${state}`, role: "img", "aria-label": label, title: label }, text);
}
