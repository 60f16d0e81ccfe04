/** The page: who is here, and what they see. */

import "./theme.js";
import { api } from "./api.js";
import { claimPage, loginPage, registerPage, waitingPage } from "./components/account-pages.js";
import { forgetDrafts } from "./components/composer.js";
import "./components/message-list.js";
import "./components/conversation.js";
import "./components/people-page.js";
import "./components/search-pane.js";
import "./components/side-bar.js";
import "./components/shell.js";
import { sleep } from "./dom.js";
import { notificationsOn } from "./notify.js";
import { outbox } from "./outbox.js";
import { endPush, syncPush } from "./push.js";
import { currentRoute, navigate } from "./router.js";
import { store } from "./store.js";
import { sync } from "./sync.js";

const RETRY_MS = 3_000;
const app = document.getElementById("app");
let notice = "";
let next = ""; // where somebody wanted to go before they had to log in

function show(...content) {
  app.replaceChildren(...content);
  (app.querySelector("[autofocus]") ?? app.querySelector("input"))?.focus();
}

/** Somebody is signed in: read their world, then open the chat. */
async function enter(user) {
  store.me = user;
  store.learnUsers([user]);
  await sync.start();
  const goal = next || "/";
  next = notice = "";
  if (["/login", "/register", "/claim"].includes(location.pathname)) history.replaceState(null, "", goal);
  app.replaceChildren(document.createElement("nm-shell"));
  if (notificationsOn()) syncPush(true).catch(() => null); // the next visit tries again
}

/** The page for somebody who is not signed in. */
function showAccountPage() {
  const { name } = currentRoute();
  document.title = "Nottermost";
  if (name === "claim") return show(claimPage(enter));
  if (name === "register") return show(registerPage(enter));
  if (name !== "login") {
    next = location.pathname === "/" ? "" : location.pathname + location.search;
    history.replaceState(null, "", "/login");
  }
  return show(loginPage(enter, notice));
}

async function start() {
  if (currentRoute().name === "claim" || !api.maySignIn) return showAccountPage();
  for (;;) {
    try {
      await api.refresh();
      return await enter(await api.get("/api/users/me"));
    } catch (error) {
      if (error.status === 401 || error.status === 403) return showAccountPage();
      if (!error.code) throw error;
      show(waitingPage(error.message));
      await sleep(Math.max(RETRY_MS, error.retryAfterMs ?? 0));
    }
  }
}

addEventListener("navigate", () => store.me || showAccountPage());

api.addEventListener("ended", async ({ detail }) => {
  notice = detail.reason;
  if (!store.me) return;
  sync.stop();
  if (detail.wanted) {
    forgetDrafts();
    endPush({ signedOut: true }).catch(() => null);
    await outbox.clear();
  }
  store.clear();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  navigate("/login", { replace: true });
});

start();
