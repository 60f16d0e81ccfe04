/** A person on the screen: avatar, presence dot, card. */

import { attempt, h } from "../dom.js";
import { conversationPath, navigate } from "../router.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { formatAgo } from "../time.js";
import { api } from "../api.js";
import { openPopover } from "./dialog.js";

const PRESENCE = { online: "Online", away: "Away", offline: "Offline" };

function initials(name) {
  const words = name.split(/[\s._-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const [first = "?"] = [...(words[0] ?? name.trim())];
  const second = words.length > 1 ? [...words.at(-1)][0] : "";
  return (first + second).toUpperCase();
}

/** A hue that stays the same for an id. */
function hue(id) {
  let hash = 7;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)) % 3600;
  return hash % 360;
}

export function tile(id, name, className = "") {
  const element = h("span", { class: `avatar ${className}`, "aria-hidden": "true" }, initials(name));
  element.style.setProperty("--hue", String(hue(id)));
  return element;
}

export const avatar = (userId, className = "") => tile(userId, store.nameOf(userId), className);

export function presenceDot(userId) {
  const status = store.presenceOf(userId);
  return h("span", { class: `presence ${status}`, role: "img", "aria-label": PRESENCE[status], title: PRESENCE[status] });
}

function presenceText(userId) {
  const { last_seen } = store.presence.get(userId) ?? {};
  const status = store.presenceOf(userId);
  return status === "offline" && last_seen ? `Last seen ${formatAgo(last_seen)}` : PRESENCE[status];
}

/** Get or create the DM with somebody and go there. */
export async function openDm(userId) {
  const view = await attempt(() => api.post("/api/chats/conversations/dm", { other_user_id: userId }));
  if (view) navigate(conversationPath(sync.learn(view), store.workspaceId));
}

/** The card that a click on a name opens. */
export function openPerson(anchor, userId) {
  const user = store.user(userId);
  const body = h("div", { class: "person-card" });
  const draw = () =>
    body.replaceChildren(
      avatar(userId, "large"),
      h("div", {}, h("strong", {}, store.nameOf(userId)), h("span", { class: "dim" }, user.username && `@${user.username}`)),
      h("p", { class: "dim" }, presenceDot(userId), ` ${presenceText(userId)}`),
      user.title ? h("p", {}, user.title) : "",
      user.bot ? h("p", { class: "dim" }, "A bot") : "",
      user.deleted ? h("p", { class: "dim" }, "This account was closed") : "",
      userId === store.me.user_id || user.deleted ? "" : h("button", { class: "primary", onclick: () => (popover.hidePopover(), openDm(userId)) }, "Message"),
    );
  draw();
  const popover = openPopover(anchor, body, { label: `About ${store.nameOf(userId)}` });
  sync.show("card", [userId]);
  store.addEventListener("presence", draw);
  popover.addEventListener("toggle", ({ newState }) => newState === "closed" && (store.removeEventListener("presence", draw), sync.show("card", [])));
  body.querySelector("button")?.focus();
}
