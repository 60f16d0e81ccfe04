/** About a conversation: topic and purpose, members, adding people, leaving. */

import { api } from "../api.js";
import { attempt, Component, h, icon, iconButton, joined, toast, twoLines } from "../dom.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { confirmDialog, field, findField, form, openDialog, openMenu } from "./dialog.js";
import { choosePeople } from "./people-picker.js";
import { avatar, openDm, presenceDot } from "./person.js";

const PAGE = 100;
const LEVELS = { all: "All messages", mentions: "Mentions only", none: "Nothing" };
const HOUR_MS = 3_600_000;
const ROLE_NAMES = { owner: "Owner", admin: "Admin", member: "Member", guest: "Guest" };

/** Events: `close-pane`, bubbles. */
export class DetailsPane extends Component {
  #members = [];
  #more = false;
  #filter = "";

  constructor(conversationId) {
    super();
    this.conversationId = conversationId;
    this.path = `/api/chats/conversations/${conversationId}`;
  }

  mount() {
    this.listen(store, "conversations presence users", this.update);
    this.listen(store, "members", ({ detail }) => detail === this.conversationId && this.#read());
    this.listen(this, "keydown", (event) => event.key === "Escape" && this.#close());
    this.replaceChildren(
      h("header", { class: "pane-head" }, h("h2", {}, "Details"), h("span", { class: "grow" }), iconButton("close", "Close details", () => this.#close())),
      h("div", { class: "pane-body" }, h("section", { class: "about" }), h("section", { class: "notify" }), h("section", { class: "roster", "aria-label": "Members" }), h("section", { class: "leaving" })),
    );
    this.render();
    this.#read();
  }

  unmount() {
    sync.show("details", []);
  }

  get conversation() {
    return store.conversations.get(this.conversationId);
  }

  get #mayManage() {
    return ["owner", "admin"].includes(this.conversation?.role);
  }

  #close() {
    this.dispatchEvent(new Event("close-pane", { bubbles: true }));
  }

  async #read(after = undefined) {
    const page = await attempt(() => api.get(`${this.path}/members`, { limit: PAGE, after }));
    if (!page) return;
    this.#members = after ? [...this.#members, ...page] : page;
    this.#more = page.length === PAGE;
    store.learnUsers(page.map((member) => member.user));
    sync.show("details", this.#members.slice(0, PAGE).map((member) => member.user.user_id));
    this.render();
  }

  render() {
    if (!this.conversation) return;
    this.#drawAbout(this.conversation);
    this.#drawNotify(this.conversation);
    this.#drawRoster(this.conversation);
    this.#drawLeaving(this.conversation);
  }

  #drawAbout(conversation) {
    const { type, topic, purpose } = conversation;
    const lines = type === "CHANNEL" ? [["Topic", topic], ["Purpose", purpose]] : [];
    const editable = this.conversation.joined && type !== "DM" && (this.#mayManage || type === "CHANNEL");
    this.querySelector(".about").replaceChildren(
      h("h3", { class: "about-title", dir: "auto" }, type === "CHANNEL" ? icon(conversation.private ? "lock" : "hash") : null, store.titleOf(conversation)),
      ...lines.map(([label, text]) => h("p", {}, h("span", { class: "dim" }, label), h("br"), h("span", { dir: "auto" }, text || "–"))),
      editable ? h("button", { onclick: () => this.#editAbout(conversation) }, icon("compose", 16), "Edit") : "",
    );
  }

  #editAbout({ type, title, topic, purpose }) {
    const save = async (values) => {
      sync.learn(await api.patch(this.path, values));
      dialog.close();
    };
    const channel = type === "CHANNEL";
    const fields = [field("Name", { name: "title", value: title, required: true, maxlength: channel ? 80 : 100 })];
    if (channel) fields.push(field("Topic", { name: "topic", value: topic, maxlength: 250 }), field("Purpose", { name: "purpose", value: purpose, maxlength: 250, rows: 3 }));
    const dialog = openDialog("Edit details", form(fields, "Save", save));
  }

  #drawNotify(conversation) {
    const level = store.levelOf(conversation);
    const label = level === "none" ? "Muted" : `Notifications: ${LEVELS[level].toLowerCase()}`;
    const choose = ({ currentTarget }) =>
      openMenu(currentTarget, "Notifications", [
        ...Object.entries(LEVELS).map(([notify, name]) => ({ label: name, checked: level === notify, run: () => this.#setLevel({ notify }) })),
        null,
        { label: "Mute for an hour", run: () => this.#setLevel({ notify: "none", until: new Date(Date.now() + HOUR_MS).toISOString() }) },
      ]);
    this.querySelector(".notify").replaceChildren(conversation.joined ? h("button", { onclick: choose }, icon("message", 16), label) : "");
  }

  #setLevel(level) {
    return attempt(async () => {
      const view = await api.put(`/api/notifications/conversations/${this.conversationId}`, level);
      store.levels.set(this.conversationId, view);
      store.changed("conversations", this.conversationId);
    });
  }

  #drawRoster(conversation) {
    const roster = this.querySelector(".roster");
    if (!roster.children.length) roster.append(h("div", { class: "roster-head" }), findField("Find members", (text) => ((this.#filter = text), this.render())), h("ul", { class: "people" }));
    const [head, filter, list] = roster.children;
    const mayAdd = conversation.joined && !conversation.archived && conversation.type !== "DM";
    const label = conversation.type === "GROUP" ? "Invite" : "Add people";
    const add = mayAdd ? h("button", { onclick: () => this.#addPeople(conversation) }, icon("add", 16), label) : "";
    head.replaceChildren(h("h3", {}, `Members · ${conversation.member_count}`), add);
    filter.hidden = this.#members.length < 8;
    const shown = this.#members.filter(({ user }) => `${user.display_name} ${user.username}`.toLowerCase().includes(this.#filter));
    list.replaceChildren(
      ...shown.map((member) => this.#memberRow(member)),
      this.#more ? h("li", {}, h("button", { onclick: () => this.#read(this.#members.at(-1).user.user_id) }, "Show more")) : "",
    );
  }

  #memberRow({ user, role }) {
    const me = user.user_id === store.me.user_id;
    const name = user.display_name || user.username;
    return h(
      "li",
      { class: "person" },
      h("span", { class: "with-presence" }, avatar(user.user_id, "small"), presenceDot(user.user_id)),
      twoLines(me ? `${name} (you)` : name, joined(`@${user.username}`, role !== "member" && ROLE_NAMES[role])),
      !me && iconButton("message", `Message ${name}`, () => openDm(user.user_id)),
      !me && this.#mayManage && this.conversation.type !== "DM" && iconButton("more", `Manage ${name}`, ({ currentTarget }) => this.#manage(currentTarget, user, role)),
    );
  }

  #manage(anchor, user, role) {
    const name = user.display_name || user.username;
    const path = `${this.path}/members/${user.user_id}`;
    const setRole = (next) => attempt(async () => (await api.patch(path, { role: next }), this.#read()));
    const remove = async () => {
      if (!(await confirmDialog(`Remove ${name}?`, "They see nothing newer from now on.", "Remove"))) return;
      await attempt(async () => (await api.delete(path), this.#read()));
    };
    openMenu(anchor, `Manage ${name}`, [
      ...["admin", "member"].map((each) => ({ label: `Make ${ROLE_NAMES[each].toLowerCase()}`, checked: role === each, run: () => setRole(each) })),
      null,
      { label: "Remove", icon: "close", danger: true, run: remove },
    ]);
  }

  async #addPeople(conversation) {
    const group = conversation.type === "GROUP";
    const inside = new Set(this.#members.map((member) => member.user.user_id));
    const teams = group ? [] : (store.teams.get(conversation.workspace_id) ?? []);
    const title = `${group ? "Invite to" : "Add to"} ${store.titleOf(conversation)}`;
    const action = group ? "Send invites" : "Add";
    await choosePeople({ title, action, exclude: inside, teams }, async (userIds, teamIds) => {
      if (!group) await api.post(`${this.path}/members`, { user_ids: userIds, team_ids: teamIds });
      else for (const user_id of userIds) await api.post(`${this.path}/invite`, { user_id });
      toast(group ? "Invites sent." : "Added.");
      this.#read();
      sync.refetch(this.conversationId);
    });
  }

  #drawLeaving(conversation) {
    if (conversation.type === "DM" || !conversation.joined) return;
    const title = store.titleOf(conversation);
    const leave = async () => {
      if (await confirmDialog(`Leave ${title}?`, conversation.private ? "You need an invite to come back." : "You can join again at any time.", "Leave")) {
        const done = await attempt(async () => (await api.post(`${this.path}/leave`), true));
        if (done) store.changed("removed", { conversation, byMe: true });
      }
    };
    const archive = async () => {
      const archived = !conversation.archived;
      if (archived && !(await confirmDialog(`Archive ${title}?`, "It can still be read and found, but not written to.", "Archive"))) return;
      await attempt(async () => sync.learn(await api.patch(this.path, { archived })));
    };
    const mayArchive = this.#mayManage && conversation.type === "CHANNEL";
    this.querySelector(".leaving").replaceChildren(
      h("button", { class: "danger", onclick: leave }, "Leave"),
      mayArchive ? h("button", { onclick: archive }, icon("archive", 16), conversation.archived ? "Unarchive" : "Archive") : "",
    );
  }
}

customElements.define("nm-details", DetailsPane);
