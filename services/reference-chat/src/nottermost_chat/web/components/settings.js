/** One's own settings: profile, look, notifications, password, devices. */

import { api } from "../api.js";
import { attempt, h, toast, twoLines } from "../dom.js";
import { notificationsOn, notificationsPossible, setNotifications } from "../notify.js";
import { pushTrouble } from "../push.js";
import { store } from "../store.js";
import { setTheme, theme } from "../theme.js";
import { formatAgo, formatFull } from "../time.js";
import { checkbox, confirmDialog, field, form, mentionField, openDialog, tabs } from "./dialog.js";

export function openSettings() {
  openDialog("Settings", tabs("Settings", { Profile: profile, Look: look, Notifications: notifications, Password: password, Devices: devices, Keyboard: keyboard }), { className: "settings" });
}

const KEYS = [
  ["Ctrl+K, ⌘K", "jump to a person or conversation"],
  ["Ctrl+Shift+F, ⌘Shift+F", "search"],
  ["Alt+Up, Alt+Down", "previous, next conversation; with Shift the next unread one"],
  ["Enter, Shift+Enter", "send, new line"],
  ["Up", "in an empty field: edit your last message"],
  ["Shift+Tab, then Up and Down", "go through the messages"],
  ["E, R, T, M, Delete", "on a message: edit, react, thread, more, delete"],
  ["Escape", "close what is open, back to writing"],
];

function keyboard() {
  return h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [h("dt", {}, h("kbd", {}, keys)), h("dd", {}, what)]).flat());
}

function profile() {
  const { username, display_name, title, email } = store.me;
  const save = async (values) => {
    const user = await api.patch("/api/users/me", values);
    Object.assign(store.me, values);
    store.learnUsers([user]);
    toast("Saved.");
  };
  return form(
    [
      field("Name", { name: "display_name", value: display_name, maxlength: 250, autocomplete: "name" }),
      mentionField("User name", { value: username, autocomplete: "username" }),
      field("What you do", { name: "title", value: title, maxlength: 250, autocomplete: "organization-title" }),
      h("p", { class: "dim" }, `E-mail: ${email ?? "none"}`),
    ],
    "Save",
    save,
  );
}

function look() {
  const options = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];
  return h(
    "fieldset",
    { class: "choices" },
    h("legend", {}, "Theme"),
    options.map(([value, label]) => checkbox(label, { type: "radio", name: "theme", value, checked: theme() === value, onchange: () => setTheme(value) })),
  );
}

function notifications() {
  const state = h("p", { class: "dim", role: "status" }, notificationsPossible() ? pushTrouble() : "The browser does not allow notifications for this page.");
  const change = async ({ target }) => {
    const trouble = await attempt(() => setNotifications(target.checked));
    target.checked = notificationsOn();
    state.textContent = notificationsPossible() ? (trouble ?? "") : "The browser does not allow notifications for this page.";
  };
  const props = { checked: notificationsOn(), disabled: !notificationsPossible(), onchange: change };
  const quiet = h("div", { class: "quiet" });
  drawQuiet(quiet);
  return h("div", {}, checkbox("Notify me of mentions and direct messages while I look elsewhere", props), state, quiet);
}

const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const PAUSES = [["30 minutes", 30], ["2 hours", 120], ["Until tomorrow morning", null]];
const NOTIFICATIONS = "/api/notifications/settings";

/** Do not disturb: a pause, and the same hours every night. */
async function drawQuiet(place) {
  const settings = await attempt(() => api.get(NOTIFICATIONS));
  if (!settings) return;
  const { time_zone, paused_until } = settings;
  const put = async (changes) => {
    const { quiet } = settings;
    await api.put(NOTIFICATIONS, { time_zone, paused_until, quiet, ...changes });
    await drawQuiet(place);
  };
  const paused = paused_until && Date.parse(paused_until) > Date.now();
  const pause = (minutes) => attempt(() => put({ paused_until: (minutes ? new Date(Date.now() + minutes * 60_000) : nextMorning()).toISOString() }));
  const [first] = settings.quiet;
  const hours = async ({ from, to }) => {
    const [start_minute, end_minute] = [toMinutes(from), toMinutes(to)];
    const quiet = from && to ? EVERY_DAY.map((weekday) => ({ weekday, start_minute, end_minute })) : [];
    await put({ quiet, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
    toast("Saved.");
  };
  place.replaceChildren(
    h("h3", {}, "Do not disturb"),
    paused
      ? h("p", {}, `Paused until ${formatFull(paused_until)}. `, h("button", { onclick: () => attempt(() => put({ paused_until: null })) }, "Resume"))
      : h("div", { class: "row" }, PAUSES.map(([label, minutes]) => h("button", { onclick: () => pause(minutes) }, label))),
    form(
      [
        field("Every night from", { name: "from", type: "time", value: first ? toClock(first.start_minute) : "" }),
        field("to", { name: "to", type: "time", value: first ? toClock(first.end_minute) : "" }, "Empty: notifications come at any time."),
      ],
      "Save hours",
      hours,
    ),
  );
}

const MORNING = 9;

function nextMorning() {
  const at = new Date();
  at.setDate(at.getDate() + 1);
  at.setHours(MORNING, 0, 0, 0);
  return at;
}

const toMinutes = (clock) => clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
const toClock = (minutes) => [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":");

function password() {
  const change = async (values, element) => {
    if (values.new_password !== values.again) throw Object.assign(new Error("The new passwords are not the same."), { code: "mismatch" });
    await api.put("/api/users/me/password", { old_password: values.old_password, new_password: values.new_password });
    element.reset();
    toast("The password was changed. Your other devices were signed out.");
  };
  const secret = (name, props) => ({ name, type: "password", required: true, ...props });
  const fresh = { minlength: 8, autocomplete: "new-password" };
  const fields = [
    field("Current password", secret("old_password", { autocomplete: "current-password" })),
    field("New password", secret("new_password", fresh), "At least 8 characters."),
    field("New password again", secret("again", fresh)),
  ];
  return form(fields, "Change password", change);
}

function devices() {
  const list = h("ul", { class: "people", "aria-label": "Devices" });
  const draw = async () => {
    const views = await attempt(() => api.get("/api/users/me/devices"));
    list.replaceChildren(...(views ?? []).sort((a, b) => b.current - a.current || b.last_seen_at.localeCompare(a.last_seen_at)).map(row));
  };
  const signOut = async (device) => {
    if (device.current) return api.signOut();
    const sure = await confirmDialog("Sign this device out?", `${device.name || "The device"} needs the password again.`, "Sign out");
    if (sure) await attempt(() => api.delete(`/api/users/me/devices/${device.device_id}`));
    return draw();
  };
  const row = (device) => {
    const name = `${device.name || "Unnamed device"}${device.current ? " (this one)" : ""}`;
    const about = twoLines(name, `Last seen ${formatAgo(device.last_seen_at)}`, { title: `Since ${formatFull(device.created_at)}` });
    return h("li", { class: "person" }, about, h("button", { "aria-label": `Sign out ${name}`, onclick: () => signOut(device) }, "Sign out"));
  };
  draw();
  return h("div", {}, h("p", { class: "dim" }, "You are signed in on these. Sign out what you do not know or no longer use."), list);
}
