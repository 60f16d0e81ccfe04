/** Pushes for this browser while the page is closed: its service worker, and its subscription at the server. */

import { api } from "./api.js";

const WORKER = "/assets/service-worker.js";
const PATH = "/api/notifications/push";

export const pushPossible = () => "serviceWorker" in navigator && "PushManager" in window;

/** Clicks on notifications lead to the page that is open. */
if ("serviceWorker" in navigator)
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data?.type === "open-conversation") dispatchEvent(new CustomEvent(data.type, { detail: data.conversation_id }));
  });

/** @returns {Promise<ServiceWorkerRegistration | undefined>} of the worker that shows notifications, once there is one */
export const worker = async () => (pushPossible() ? navigator.serviceWorker.getRegistration("/") : undefined);

/**
 * Let the server know where to push, or that there is nowhere any more.
 * @returns {Promise<string>} why pushes will not come; "" when they will
 */
export async function syncPush(wanted) {
  trouble = await sync(wanted);
  return trouble;
}

let trouble = "";

/** What kept pushes from coming when that was last tried. */
export const pushTrouble = () => trouble;

async function sync(wanted) {
  if (!pushPossible()) return "This browser shows notifications only while the page is open.";
  if (!wanted) return endPush();
  const { vapid_public_key: key } = await api.get(PATH);
  if (!key) return "Notifications come only while the page is open: pushes are not set up here.";
  const registration = await navigator.serviceWorker.register(WORKER, { scope: "/" });
  try {
    const { endpoint, keys } = (await subscribe(await ready(registration), key)).toJSON();
    await api.put(PATH, { kind: "webpush", address: endpoint, public_key: keys.p256dh, auth_secret: keys.auth });
    return "";
  } catch (error) {
    if (error.code && !(error instanceof DOMException)) throw error; // the server's: shown as such
    return "The browser cannot reach its push service. Notifications come only while the page is open.";
  }
}

/** Nothing is pushed here any more; what is shown goes too. */
export async function endPush({ signedOut = false } = {}) {
  const registration = await worker();
  if (!registration) return "";
  (await registration.getNotifications()).forEach((each) => each.close());
  const subscription = await registration.pushManager.getSubscription().catch(() => null);
  await subscription?.unsubscribe();
  if (!signedOut) await api.delete(PATH);
  return "";
}

/** A subscription belongs to one key: with another key there is a new one. */
async function subscribe(registration, key) {
  const applicationServerKey = Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  const before = await registration.pushManager.getSubscription();
  if (before && !same(new Uint8Array(before.options.applicationServerKey), applicationServerKey)) await before.unsubscribe();
  return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
}

const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);

async function ready(registration) {
  if (!registration.active) await navigator.serviceWorker.ready;
  return registration;
}
