/** Browsing and creating channels, creating groups. */

import { api } from "../api.js";
import { attempt, counted, h, icon, joined, twoLines } from "../dom.js";
import { conversationPath, navigate } from "../router.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { checkbox, field, openDialog } from "./dialog.js";
import { choosePeople } from "./people-picker.js";

const PAGE = 50;

const channelsPath = () => `/api/workspaces/${store.workspaceId}/channels`;
const goTo = (view) => navigate(conversationPath(sync.learn(view), store.workspaceId));

export function browseChannels() {
  const list = h("ul", { class: "channels", "aria-label": "Channels" });
  const search = h("input", { type: "search", "aria-label": "Find channels", placeholder: "Find channels", autocomplete: "off", oninput: () => read() });
  let asked = 0;
  const open = async (channel) => {
    const view = await attempt(() => api.post(`/api/chats/conversations/${channel.conversation_id}/join`));
    if (!view) return;
    dialog.close();
    goTo(view);
  };
  const row = (channel) => {
    const { title, members, archived, joined: inside } = channel;
    const about = joined(counted(members, "member"), archived && "archived", channel.purpose || channel.topic);
    const action = inside ? "Open" : "Join";
    const props = { class: inside || archived ? null : "primary", "aria-label": `${action} ${title}`, disabled: archived && !inside, onclick: () => open(channel) };
    return h("li", { class: "channel" }, icon(channel.private ? "lock" : "hash"), twoLines(title, about), h("button", props, action));
  };
  const read = async (after = undefined) => {
    const turn = ++asked;
    const channels = await attempt(() => api.get(channelsPath(), { q: search.value.trim() || undefined, after, limit: PAGE }));
    if (turn !== asked || !channels) return;
    list.querySelector(".more")?.remove();
    list.replaceChildren(...(after ? list.children : []), ...channels.map(row));
    if (!list.children.length) list.append(h("li", { class: "empty" }, search.value ? "No channel is called so." : "There are no channels yet. Create the first one."));
    if (channels.length === PAGE) list.append(h("li", { class: "more" }, h("button", { onclick: () => read(channels.at(-1).title) }, "Show more")));
  };
  const create = h("button", { class: "primary", onclick: () => (dialog.close(), createChannel()) }, icon("add", 16), "Create a channel");
  const dialog = openDialog("Channels", [h("div", { class: "row" }, search, create), list], { className: "tall" });
  read();
}

export async function createChannel() {
  await attempt(() => sync.refreshTeams(store.workspaceId));
  const before = [
    field("Name", { name: "name", required: true, maxlength: 80, placeholder: "for example: release-planning", autofocus: true }),
    field("Purpose", { name: "purpose", maxlength: 250 }, "What is it for? Everybody sees this when they look for channels."),
    checkbox("Private: only people who are added can find and read it", { name: "private" }),
    h("h3", {}, "Add people"),
  ];
  const teams = store.teams.get(store.workspaceId) ?? [];
  await choosePeople({ title: "Create a channel", action: "Create", before, teams, required: false }, async (member_ids, team_ids, values) => {
    goTo(await api.post(channelsPath(), { name: values.name.trim(), purpose: values.purpose, private: values.private === "on", member_ids, team_ids }));
  });
}

export async function createGroup() {
  const before = [field("Name", { name: "title", required: true, maxlength: 100, autofocus: true }, "A private group of up to 100 people."), h("h3", {}, "Members")];
  await choosePeople({ title: "New group", action: "Create group", before, required: false }, async (member_ids, _teams, values) => {
    goTo(await api.post("/api/chats/conversations/group", { title: values.title.trim(), member_ids }));
  });
}
