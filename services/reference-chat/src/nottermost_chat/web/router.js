/** Addresses of the page. The server answers `index.html` for all of them. */

const NO_WORKSPACE = "-"; // groups and DMs belong to none

const ROUTES = [
  [/^\/login$/, "login"],
  [/^\/register$/, "register"],
  [/^\/claim$/, "claim"],
  [/^\/w\/new$/, "new-workspace"],
  [/^\/w\/([^/]+)\/c\/([^/]+)$/, "conversation"],
  [/^\/w\/([^/]+)(?:\/people)?$/, "people"],
];

/** @returns {{name: string, workspaceId: string | null, conversationId: string | null, seq: number | null}} */
export function currentRoute() {
  const seq = Number(new URLSearchParams(location.search).get("seq")) || null;
  for (const [pattern, name] of ROUTES) {
    const match = pattern.exec(location.pathname);
    if (!match) continue;
    const [workspaceId = null, conversationId = null] = match.slice(1).map(decodeURIComponent);
    return { name, workspaceId: workspaceId === NO_WORKSPACE ? null : workspaceId, conversationId, seq };
  }
  return { name: "home", workspaceId: null, conversationId: null, seq };
}

export function navigate(path, { replace = false } = {}) {
  if (path !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", path);
  dispatchEvent(new Event("navigate"));
}

/** The address of a conversation: channels within their workspace, the others within the one that is open. */
export function conversationPath(conversation, workspaceId, seq = null) {
  const place = `/w/${conversation.workspace_id ?? workspaceId ?? NO_WORKSPACE}/c/${conversation.conversation_id}`;
  return seq ? `${place}?seq=${seq}` : place;
}

/** Links to our own pages change the address without loading the page again. */
addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href^='/']");
  if (!anchor || event.defaultPrevented || anchor.target || anchor.hasAttribute("download")) return;
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  navigate(anchor.getAttribute("href"));
});
addEventListener("popstate", () => dispatchEvent(new Event("navigate")));
