/** A workspace's people: members with their roles, teams, imported users. The first thing to see in a new workspace. */

import { api } from "../api.js";
import { attempt, Component, copyText, h, icon, iconButton, joined, toast, twoLines } from "../dom.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { checkbox, confirmDialog, field, findField, form, mentionField, openDialog, tabs } from "./dialog.js";
import { choosePeople } from "./people-picker.js";
import { avatar, openDm, presenceDot } from "./person.js";
import { programsTab } from "./programs.js";

const PAGE = 100;
const ROLES = [["owner", "Owner"], ["admin", "Admin"], ["member", "Member"], ["guest", "Guest"]];

/** Events: `drawer`, bubbles. */
export class PeoplePage extends Component {
  #members = [];
  #more = false;
  #filter = "";
  #roster = h("ul", { class: "people", "aria-label": "Members" });

  open(workspaceId) {
    this.path = `/api/workspaces/${workspaceId}`;
    this.workspaceId = workspaceId;
    this.#members = [];
    const pages = { Members: () => this.#membersTab(), Teams: () => this.#teamsTab() };
    if (store.isAdmin) pages["Imported users"] = () => this.#importedTab();
    if (store.isAdmin) pages["Webhooks and bots"] = () => programsTab(this.workspaceId);
    this.replaceChildren(
      h(
        "header",
        { class: "conversation-head" },
        iconButton("menu", "Open side bar", () => this.dispatchEvent(new Event("drawer", { bubbles: true })), { class: "icon-button drawer-button" }),
        icon("people"),
        h("h1", { dir: "auto" }, `People in ${store.workspace?.name ?? ""}`),
      ),
      h("div", { class: "page-body" }, tabs("People", pages)),
    );
  }

  mount() {
    this.listen(store, "presence", this.update);
  }

  unmount() {
    sync.show("people", []);
  }

  render() {
    this.#drawRoster();
  }

  // --- members --------------------------------------------------------------------------------

  #membersTab() {
    this.#read();
    const filter = findField("Find members", (text) => ((this.#filter = text), this.#drawRoster()));
    return h("div", {}, store.isAdmin && this.#addForm(), h("div", { class: "row" }, filter), this.#roster);
  }

  #addForm() {
    const add = async ({ email, role }, element) => {
      const member = await api.post(`${this.path}/members`, { email: email.trim(), role });
      element.reset();
      toast(`${member.user.display_name || member.user.username} was added.`);
      sync.refreshWorkspaces();
      await this.#read();
    };
    const roles = ROLES.filter(([role]) => role !== "owner" || store.workspace.role === "owner");
    const email = { name: "email", type: "email", required: true, placeholder: "name@example.com", autocomplete: "off" };
    const choice = h("select", { name: "role", id: "add-role" }, roles.map(([role, label]) => h("option", { value: role, selected: role === "member" }, label)));
    const fields = [
      field("Add a member by e-mail", email, "They need an account here first: ask them to register."),
      h("div", { class: "field" }, h("label", { for: "add-role" }, "Role"), choice),
    ];
    return form(fields, "Add member", add, { className: "inline-form" });
  }

  async #read(after = undefined) {
    const page = await attempt(() => api.get(`${this.path}/members`, { limit: PAGE, after }));
    if (!page) return;
    this.#members = after ? [...this.#members, ...page] : page;
    this.#more = page.length === PAGE;
    store.learnUsers(page.map((member) => member.user));
    sync.show("people", this.#members.slice(0, 150).map((member) => member.user.user_id));
    this.#drawRoster();
  }

  #drawRoster() {
    const shown = this.#members.filter(({ user }) => `${user.display_name} ${user.username}`.toLowerCase().includes(this.#filter));
    const more = this.#more ? h("li", {}, h("button", { onclick: () => this.#read(this.#members.at(-1).user.user_id) }, "Show more")) : "";
    this.#roster.replaceChildren(...shown.map((member) => this.#memberRow(member)), more);
    if (!this.#members.length) this.#roster.append(h("li", { class: "empty" }, "Loading…"));
  }

  #memberRow({ user, role }) {
    const me = user.user_id === store.me.user_id;
    const name = user.display_name || user.username;
    const label = ROLES.find(([each]) => each === role)[1];
    return h(
      "li",
      { class: "person", "data-user-id": user.user_id },
      h("span", { class: "with-presence" }, avatar(user.user_id), presenceDot(user.user_id)),
      twoLines(me ? `${name} (you)` : name, joined(`@${user.username}`, user.title)),
      store.isAdmin && !me ? this.#roleChoice(user, role, name) : h("span", { class: "dim role" }, label),
      !me && h("button", { "aria-label": `DM ${name}`, onclick: () => openDm(user.user_id) }, icon("message", 16), "DM"),
      (store.isAdmin || me) && iconButton("close", me ? "Leave the workspace" : `Remove ${name}`, () => this.#remove(user, name, me)),
    );
  }

  #roleChoice(user, role, name) {
    const change = async ({ target }) => {
      await attempt(() => api.patch(`${this.path}/members/${user.user_id}`, { role: target.value }));
      this.#read();
    };
    const mayNot = (each) => each === "owner" && store.workspace.role !== "owner";
    const options = ROLES.map(([each, label]) => h("option", { value: each, selected: each === role, disabled: mayNot(each) }, label));
    return h("select", { "aria-label": `Role of ${name}`, onchange: change, disabled: mayNot(role) }, options);
  }

  async #remove(user, name, me) {
    const text = me ? "You leave all its channels." : "They leave all its channels, at once.";
    if (!(await confirmDialog(me ? "Leave the workspace?" : `Remove ${name}?`, text, me ? "Leave" : "Remove"))) return;
    await attempt(async () => {
      await api.delete(`${this.path}/members/${user.user_id}`);
      await sync.refreshWorkspaces();
      if (!me) await this.#read();
    });
  }

  // --- teams ------------------------------------------------------------------------------------

  #teamsTab() {
    const list = h("ul", { class: "people", "aria-label": "Teams" });
    const draw = async () => {
      await attempt(() => sync.refreshTeams(this.workspaceId));
      const teams = store.teams.get(this.workspaceId) ?? [];
      list.replaceChildren(...teams.map((team) => this.#teamRow(team, draw)));
      if (!teams.length) list.append(h("li", { class: "empty" }, "No teams yet. A team is a named set of members: mention it as @name, add it to a channel in one step."));
    };
    draw();
    const create = h("button", { class: "primary", onclick: () => this.#editTeam(null, draw) }, icon("add", 16), "Create a team");
    return h("div", {}, store.isAdmin && h("div", { class: "row" }, create), list);
  }

  #teamRow(team, draw) {
    const names = team.member_ids.slice(0, 6).map((id) => store.nameOf(id)).join(", ");
    const more = team.member_ids.length > 6 ? ` and ${team.member_ids.length - 6} more` : "";
    const remove = async () => {
      const sure = await confirmDialog(`Delete the team ${team.name}?`, "Its members stay in the workspace and in their channels.", "Delete");
      if (sure) await attempt(() => api.delete(`${this.path}/teams/${team.team_id}`));
      draw();
    };
    return h(
      "li",
      { class: "person" },
      icon("people"),
      twoLines(`@${team.name}`, team.member_ids.length ? names + more : "Nobody yet"),
      store.isAdmin && h("button", { "aria-label": `Edit ${team.name}`, onclick: () => this.#editTeam(team, draw) }, "Edit"),
      store.isAdmin && iconButton("trash", `Delete ${team.name}`, remove),
    );
  }

  async #editTeam(team, draw) {
    const members = new Set(team?.member_ids ?? []);
    const kept = [...members].map((id) => checkbox(store.nameOf(id), { name: `keep-${id}`, checked: true }));
    const before = [mentionField("Name", { name: "name", value: team?.name ?? "", autofocus: true }), ...kept, h("h3", {}, "Add members")];
    await choosePeople({ title: team ? "Edit team" : "Create a team", action: "Save", before, exclude: members, required: false }, async (added, _teams, values) => {
      const member_ids = [...[...members].filter((id) => values[`keep-${id}`]), ...added];
      if (team) await api.put(`${this.path}/teams/${team.team_id}`, { name: values.name, member_ids });
      else await api.post(`${this.path}/teams`, { name: values.name, member_ids });
      draw();
    });
  }

  // --- imported users -----------------------------------------------------------------------------

  #importedTab() {
    const list = h("ul", { class: "people", "aria-label": "Imported users" });
    const draw = async () => {
      const users = await attempt(() => api.get(`${this.path}/imported-users`));
      if (!users) return;
      store.learnUsers(users.map((each) => each.user));
      list.replaceChildren(...users.map(({ user, email }) => this.#importedRow(user, email)));
      if (!users.length) list.append(h("li", { class: "empty" }, "Nobody waits to be claimed."));
    };
    draw();
    const about = "These people came with an import. Give each a link with which they take their account over, with all they have written.";
    return h("div", {}, h("p", { class: "dim" }, about), list);
  }

  #importedRow(user, email) {
    const name = user.display_name || user.username;
    const link = async () => {
      const claim = await attempt(() => api.post(`${this.path}/imported-users/${user.user_id}/claim`));
      if (!claim) return;
      const url = new URL(claim.url, location.origin).href;
      const copy = navigator.clipboard && h("button", { class: "primary", onclick: () => copyText(url) }, icon("copy", 16), "Copy");
      const shown = h("input", { value: url, readonly: true, "aria-label": "Claim link", onfocus: ({ target }) => target.select() });
      openDialog(`Claim link for ${name}`, [h("p", {}, "Send it to them alone: whoever opens it sets the password."), h("div", { class: "row" }, shown, copy)]);
    };
    const button = h("button", { "aria-label": `Claim link for ${name}`, onclick: link }, icon("link", 16), "Claim link");
    return h("li", { class: "person" }, avatar(user.user_id), twoLines(name, joined(`@${user.username}`, email)), button);
  }
}

customElements.define("nm-people", PeoplePage);
