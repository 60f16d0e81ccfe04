/** Shows what is pushed while nobody looks at the page, takes it back when it was read elsewhere, opens the conversation. */

/** Who else is of this page: the visible ones show a message themselves. */
const windows = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(take(event.data?.json())));
self.addEventListener("notificationclick", (event) => event.waitUntil(open(event.notification)));

/** @param {{news: string, title: string, conversation_id: string, badge: number}} told without any text: that is read by the page */
async function take(told) {
  if (!told) return;
  await showBadge(told.badge);
  const tag = told.conversation_id;
  const shown = await self.registration.getNotifications({ tag });
  if (told.news === "read") return shown.forEach((each) => each.close());
  if ((await windows()).some((each) => each.focused)) return;
  const [before] = shown; // the page may have shown more than a push says
  const more = { body: before?.body ?? "", icon: "/assets/icon.svg", tag, data: { conversation_id: tag } };
  await self.registration.showNotification(before?.title || told.title, more);
}

const showBadge = (badge) => (badge ? navigator.setAppBadge?.(badge) : navigator.clearAppBadge?.())?.catch(() => null);

async function open(notification) {
  notification.close();
  const { conversation_id } = notification.data;
  const [page] = await windows();
  if (!page) return self.clients.openWindow(`/w/-/c/${conversation_id}`);
  page.postMessage({ type: "open-conversation", conversation_id });
  return page.focus();
}
