/** Other programs in a workspace, for its admins: outgoing and incoming webhooks, bots and their tokens. */

import { api } from "../api.js";
import { attempt, copyText, h, icon, iconButton, joined, toast, twoLines } from "../dom.js";
import { store } from "../store.js";
import { checkbox, confirmDialog, field, form, mentionField, openDialog } from "./dialog.js";
import { avatar } from "./person.js";

const CHANNELS_MAX = 200;
const EVENTS = { message: "Messages", edit: "Edits", delete: "Deletions", reaction: "Reactions", membership: "Members and settings" };
const STATES = { retrying: "will be tried again", delivered: "delivered", dead: "failed" };
const SCOPES = {
  "messages:read": "Read messages, be told of new ones", "messages:write": "Write messages", "reactions:write": "React",
  "channels:read": "See channels and members", "channels:join": "Join and leave channels", "users:read": "See profiles and presence",
  "files:read": "Read files", "files:write": "Upload files",
};

/** The page of one workspace. */
export function programsTab(workspaceId) {
  const path = `/api/workspaces/${workspaceId}`;
  return h("div", {}, outgoing(path), incoming(path), bots(path));
}

/** A heading, a button that makes another, and a list that is read again after each change. */
function section(title, about, make, read, row) {
  const list = h("ul", { class: "people", "aria-label": title });
  const draw = async () => {
    const found = await attempt(read);
    if (!found) return;
    list.replaceChildren(...found.map((each) => row(each, draw)));
    if (!found.length) list.append(h("li", { class: "empty" }, "None yet."));
  };
  draw();
  const button = h("button", { onclick: () => make.open(draw) }, icon("add", 16), make.label);
  return h("section", {}, h("h2", {}, title), h("p", { class: "dim" }, about), h("div", { class: "row" }, button), list);
}

/** What is shown once: a secret, a token, an address. */
function showOnce(title, text, about) {
  const shown = h("input", { value: text, readonly: true, "aria-label": title, onfocus: ({ target }) => target.select() });
  const copy = navigator.clipboard && h("button", { class: "primary", onclick: () => copyText(text) }, icon("copy", 16), "Copy");
  openDialog(title, [h("p", {}, about), h("div", { class: "row" }, shown, copy)]);
}

async function removeAfterAsking(title, text, action, path, draw) {
  if (!(await confirmDialog(title, text, action))) return;
  await attempt(() => api.delete(path));
  draw();
}

const chosen = (values, words) => Object.keys(words).filter((word) => values[word]);
const boxes = (legend, words, checked) =>
  h("fieldset", {}, h("legend", {}, legend), Object.entries(words).map(([name, label]) => checkbox(label, { name, checked: checked.includes(name) })));

async function channelChoice(path, label, everywhere = null) {
  const channels = (await attempt(() => api.get(`${path}/channels`, { limit: CHANNELS_MAX }))) ?? [];
  const options = channels.filter((each) => !each.archived).map((each) => h("option", { value: each.conversation_id }, each.title));
  const all = everywhere && h("option", { value: "", selected: true }, everywhere);
  return h("div", { class: "field" }, h("label", { for: "program-channel" }, label), h("select", { name: "conversation_id", id: "program-channel", required: !everywhere }, all, options));
}

const channelName = (id) => (id ? `#${store.conversations.get(id)?.title ?? "a channel"}` : "all public channels");

// --- outgoing ---------------------------------------------------------------------------------

function outgoing(path) {
  const make = async (draw) => {
    const fields = [
      field("Address", { name: "url", type: "url", required: true, placeholder: "https://", autofocus: true }, "An address on the internet, with https."),
      await channelChoice(path, "Tell it of", "All public channels"),
      boxes("Events", EVENTS, ["message"]),
    ];
    const submit = async (values) => {
      const hook = await api.post(`${path}/webhooks`, { url: values.url, events: chosen(values, EVENTS), conversation_id: values.conversation_id || null });
      dialog.close();
      draw();
      showOnce("Secret of the webhook", hook.secret, "It signs every delivery. It is shown this once.");
    };
    const dialog = openDialog("New outgoing webhook", form(fields, "Create webhook", submit));
  };
  const about = "Tell another program what happens here. Deliveries are signed and repeated until they are taken.";
  return section("Outgoing webhooks", about, { label: "New outgoing webhook", open: make }, () => api.get(`${path}/webhooks`), (hook, draw) => outgoingRow(path, hook, draw));
}

function outgoingRow(path, hook, draw) {
  const own = `${path}/webhooks/${hook.webhook_id}`;
  const test = () => attempt(async () => (await api.post(`${own}/test`), toast("Sent. Look at its deliveries.")));
  const turn = () => attempt(async () => (await api.patch(own, { active: !hook.active }), draw()));
  const remove = () => removeAfterAsking("Remove the webhook?", `${hook.url} is told nothing more.`, "Remove", own, draw);
  const what = hook.events.map((event) => EVENTS[event].toLowerCase()).join(", ");
  return h(
    "li",
    { class: "person" },
    icon("link"),
    twoLines(hook.url, joined(!hook.active && "switched off", what, channelName(hook.conversation_id))),
    h("button", { "aria-label": `Test ${hook.url}`, onclick: test }, "Test"),
    h("button", { "aria-label": `Deliveries to ${hook.url}`, onclick: () => showDeliveries(own) }, "Deliveries"),
    h("button", { "aria-label": `${hook.active ? "Switch off" : "Switch on"} ${hook.url}`, onclick: turn }, hook.active ? "Switch off" : "Switch on"),
    iconButton("trash", `Remove ${hook.url}`, remove),
  );
}

function showDeliveries(own) {
  const list = h("ul", { class: "people", "aria-label": "Deliveries" });
  const draw = async () => {
    const found = (await attempt(() => api.get(`${own}/deliveries`))) ?? [];
    list.replaceChildren(...found.map(row));
    if (!found.length) list.append(h("li", { class: "empty" }, "Everything went through at once."));
  };
  const row = (each) => {
    const again = () => attempt(async () => (await api.post(`${own}/deliveries/${each.delivery_id}/replay`), toast("It is on its way."), draw()));
    const about = joined(each.reason, new Date(each.at).toLocaleString(), `attempt ${each.attempts}`);
    return h("li", { class: "person" }, twoLines(`${each.event}: ${STATES[each.state]}`, about), h("button", { "aria-label": `Send ${each.event} again`, onclick: again }, "Send again"));
  };
  const refresh = h("button", { onclick: draw }, "Look again");
  openDialog("Deliveries", [h("p", { class: "dim" }, "Tests, and what did not go through at once in the last 14 days."), h("div", { class: "row" }, refresh), list], { className: "tall" });
  draw();
}

// --- incoming ---------------------------------------------------------------------------------

function incoming(path) {
  const make = async (draw) => {
    const fields = [
      field("Name", { name: "name", required: true, maxlength: 100, placeholder: "for example: Build server", autofocus: true }, "Its messages carry this name."),
      await channelChoice(path, "Posts to"),
    ];
    const submit = async (values) => {
      const hook = await api.post(`${path}/incoming-hooks`, values);
      dialog.close();
      draw();
      showOnce("Address of the webhook", new URL(new URL(hook.url).pathname, location.origin).href, "Whoever has it may post. It is shown this once.");
    };
    const dialog = openDialog("New incoming webhook", form(fields, "Create webhook", submit));
  };
  const row = (hook, draw) => {
    const remove = () => removeAfterAsking("Revoke the webhook?", "Its address is good for nothing from now on.", "Revoke", `${path}/incoming-hooks/${hook.hook_id}`, draw);
    return h("li", { class: "person" }, icon("message"), twoLines(hook.name, joined(channelName(hook.conversation_id), lastUsed(hook))), iconButton("trash", `Revoke ${hook.name}`, remove));
  };
  const about = "Let another program post messages into a channel.";
  return section("Incoming webhooks", about, { label: "New incoming webhook", open: make }, () => api.get(`${path}/incoming-hooks`), row);
}

const lastUsed = (each) => (each.last_used_at ? `last used ${new Date(each.last_used_at).toLocaleString()}` : "never used");

// --- bots -------------------------------------------------------------------------------------

function bots(path) {
  const make = (draw) => {
    const fields = [mentionField("User name", { autofocus: true }), field("Full name", { name: "display_name", maxlength: 250 })];
    const submit = async (values) => {
      await api.post(`${path}/bots`, values);
      dialog.close();
      draw();
    };
    const dialog = openDialog("New bot", form(fields, "Create bot", submit));
  };
  const read = async () => {
    const found = await api.get(`${path}/bots`);
    store.learnUsers(found);
    return found;
  };
  const row = (bot, draw) => {
    const name = bot.display_name || bot.username;
    const remove = () => removeAfterAsking(`Remove ${name}?`, "It leaves its channels, and its tokens end at once.", "Remove", `${path}/bots/${bot.user_id}`, draw);
    const tokens = h("button", { "aria-label": `Tokens of ${name}`, onclick: () => showTokens(`${path}/bots/${bot.user_id}/tokens`, name) }, "Tokens");
    return h("li", { class: "person" }, avatar(bot.user_id), twoLines(name, `@${bot.username}`), tokens, iconButton("trash", `Remove ${name}`, remove));
  };
  const about = "Accounts that programs act as, with tokens that may do what you choose.";
  return section("Bots", about, { label: "New bot", open: make }, read, row);
}

function showTokens(path, name) {
  const make = (draw) => {
    const fields = [field("Name", { name: "name", required: true, maxlength: 100, autofocus: true }, "What uses it."), boxes("It may", SCOPES, [])];
    const submit = async (values) => {
      const made = await api.post(path, { name: values.name, scopes: chosen(values, SCOPES) });
      dialog.close();
      draw();
      showOnce("Token", made.token, "Whoever has it acts as the bot. It is shown this once.");
    };
    const dialog = openDialog("New token", form(fields, "Create token", submit));
  };
  const row = (token, draw) => {
    const revoke = () => removeAfterAsking(`Revoke ${token.name}?`, "It ends at once, with everything that was opened with it.", "Revoke", `${path}/${token.token_id}`, draw);
    return h("li", { class: "person" }, twoLines(token.name, joined(token.scopes.join(", "), lastUsed(token))), iconButton("trash", `Revoke ${token.name}`, revoke));
  };
  openDialog(`Tokens of ${name}`, section("Tokens", "A token shows itself once.", { label: "New token", open: make }, () => api.get(path), row), { className: "tall" });
}
