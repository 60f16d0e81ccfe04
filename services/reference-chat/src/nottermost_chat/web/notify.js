/** Getting the attention of somebody who looks elsewhere: the title's count, and notifications where they are allowed. */

import { plainText } from "./markup.js";
import { syncPush, worker } from "./push.js";
import { store } from "./store.js";

const WANTED = "nottermost.notifications";

export const notificationsPossible = () => "Notification" in window && Notification.permission !== "denied";
export const notificationsOn = () => notificationsPossible() && Notification.permission === "granted" && localStorage.getItem(WANTED) !== "off";

/** Asks the browser, which asks the user, and then for pushes. @returns {Promise<string>} what keeps them from coming, "" for nothing */
export async function setNotifications(on) {
  localStorage.setItem(WANTED, on ? "on" : "off");
  if (on && Notification.permission === "default") await Notification.requestPermission();
  return syncPush(notificationsOn());
}

/** Tell of a message, if it is for us and the page is hidden. */
export async function notify(conversation, message, { mentioned = message.mentions?.includes(store.me.user_id) } = {}) {
  if (!store.notifies(conversation, mentioned) || document.visibilityState === "visible" || !notificationsOn()) return;
  const place = conversation.type === "DM" ? "" : ` in ${store.titleOf(conversation)}`;
  const title = `${store.nameOf(message.sender_id)}${place}`;
  const { conversation_id } = conversation;
  const more = { body: plainText(message.preview ?? ""), icon: "/assets/icon.svg", tag: conversation_id, data: { conversation_id } };
  const registration = await worker(); // where pushes show theirs: one conversation, one notification
  if (registration) {
    await registration.showNotification(title, more);
    return;
  }
  const shown = new Notification(title, more);
  shown.onclick = () => {
    window.focus();
    window.dispatchEvent(new CustomEvent("open-conversation", { detail: conversation.conversation_id }));
    shown.close();
  };
}

/** The title: what waits, and where we are. */
export function showTitle(place) {
  const all = [...store.conversations.values()].filter((each) => each.joined && !each.archived);
  const waiting = all.reduce((sum, each) => sum + store.badge(each), 0) + store.invites.length;
  const dot = !waiting && all.some((each) => each.unread_count > 0) ? "• " : "";
  document.title = `${waiting ? `(${waiting}) ` : dot}${place ? `${place} – ` : ""}Nottermost`;
}
