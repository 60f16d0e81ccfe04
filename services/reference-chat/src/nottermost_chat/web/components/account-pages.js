/** The pages before the chat: log in, register, claim an imported account, create a workspace. */

import { api } from "../api.js";
import { h, toast } from "../dom.js";
import { navigate } from "../router.js";
import { checkbox, field, form, mentionField } from "./dialog.js";

function page(title, intro, ...content) {
  return h(
    "main",
    { class: "account-page", id: "main" },
    h(
      "div",
      { class: "account-card" },
      h("img", { src: "/assets/icon.svg", alt: "", width: 56, height: 56 }),
      h("h1", {}, title),
      intro && h("p", { class: "dim" }, intro),
      ...content,
    ),
  );
}

const newPassword = () =>
  field("Password", { name: "password", type: "password", required: true, minlength: 8, maxlength: 256, autocomplete: "new-password" }, "At least 8 characters.");

/** @param {(user: object) => Promise<void>} enter what to do once somebody is signed in */
export function loginPage(enter, notice = "") {
  const submit = async (values) => {
    const session = await api.post("/api/users/auth/login", { email: values.email.trim(), password: values.password, device_name: api.deviceName });
    await enter(api.begin(session));
  };
  const login = field("E-mail or user name", { name: "email", required: true, autocomplete: "username", autocapitalize: "none", autofocus: true });
  return page(
    "Log in",
    null,
    notice && h("p", { class: "notice", role: "status" }, notice),
    form([login, field("Password", { name: "password", type: "password", required: true, autocomplete: "current-password" })], "Log in", submit),
    h("p", {}, "New here? ", h("a", { href: "/register" }, "Create an account")),
  );
}

/** A box for each document there is to agree to; they come a moment after the page. */
function consentBoxes() {
  const boxes = h("div", { class: "consents" });
  const fill = ({ documents, required }) =>
    boxes.replaceChildren(
      ...documents.map(({ document, version }) => checkbox(`I agree to: ${document} (${version})`, { required, "data-document": document, value: version })),
    );
  api.get("/api/users/auth/consents").then(fill, () => {}); // unknown: the server says what is missing
  return boxes;
}

export function registerPage(enter) {
  const boxes = consentBoxes();
  const submit = async (values) => {
    const account = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, name === "password" ? value : value.trim()]));
    const consents = Object.fromEntries([...boxes.querySelectorAll("input:checked")].map((box) => [box.dataset.document, box.value]));
    const session = await api.post("/api/users/auth/register", { ...account, consents, device_name: api.deviceName });
    await enter(api.begin(session));
  };
  return page(
    "Create your account",
    "Team chat: channels, groups and direct messages.",
    form(
      [
        field("E-mail", { name: "email", type: "email", required: true, autocomplete: "email", autofocus: true }),
        field("Your name", { name: "display_name", maxlength: 250, autocomplete: "name" }, "As others see it."),
        mentionField("User name", { autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
        newPassword(),
        boxes,
      ],
      "Create account",
      submit,
    ),
    h("p", {}, "You have an account? ", h("a", { href: "/login" }, "Log in")),
  );
}

/** The token is in the fragment, which never reaches a server's log. */
export function claimPage(enter) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const submit = async ({ password }) => {
    const session = await api.post("/api/users/auth/claim", { claim_token: token, password, device_name: api.deviceName });
    history.replaceState(null, "", "/");
    await enter(api.begin(session));
    toast(`The account is yours. Log in as “${session.user.username}” from now on.`, { ms: 15_000 });
  };
  if (!token) return page("This link is not complete", "Ask whoever sent it to you for the whole link.", h("p", {}, h("a", { href: "/login" }, "Log in")));
  return page("Take over your account", "Your messages were imported. Choose a password to make the account yours.", form([newPassword()], "Take over", submit));
}

/** @param {(workspace: object) => void} created */
export function workspacePage(created, { first }) {
  const submit = async ({ name }) => created(await api.post("/api/workspaces", { name: name.trim() }));
  const intro = "A workspace is where a team and its channels live.";
  const [label, leave] = first ? ["Sign out", () => api.signOut()] : ["Cancel", () => (history.length > 1 ? history.back() : navigate("/"))];
  return page(
    first ? "Create your first workspace" : "Create a workspace",
    first ? `${intro} Were you asked to join one? It opens here as soon as somebody adds you.` : intro,
    form([field("Workspace name", { name: "name", required: true, maxlength: 100, placeholder: "Your team or company", autofocus: true })], "Create workspace", submit),
    h("p", {}, h("button", { class: "link", onclick: leave }, label)),
  );
}

export function waitingPage(text) {
  return page("Nottermost", text, h("p", { class: "loader", role: "status" }, "Trying again…"));
}
