/** REST: the access token (in memory only), its refresh, problem documents as errors, 429 respected. */

import { newId, sleep } from "./dom.js";

const REFRESH_AHEAD_MS = 60_000; // well before the end, so that no call meets an expired token
const ANSWER_WITHIN_MS = 30_000; // a connection may be dead without the browser knowing: never wait for ever
const RETRY_WAIT_MS_MAX = 10_000; // longer than this the reader is told instead
const SIGNED_IN = "nottermost.signed-in"; // only a hint that a refresh cookie may exist; no secret

/** What the server refused, as one sentence with a stable `code`; `offline`: it was not reached. */
export class ApiError extends Error {
  constructor(problem, status) {
    super(asSentence(problem.detail || problem.title || `The server answered ${status}`));
    this.code = problem.code ?? "unknown";
    this.status = status;
    this.retryAfterMs = problem.retry_after_ms ?? null;
  }
}

function asSentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

const OFFLINE = { detail: "The server cannot be reached. Check your connection and try again.", code: "offline" };

class Api extends EventTarget {
  #token = null;
  #userId = null;
  #expiresAt = 0;
  #refreshing = null;
  #timer = 0;
  #tabs = new BroadcastChannel("nottermost");

  constructor() {
    super();
    this.#tabs.onmessage = ({ data }) => {
      if (data.type === "token" && this.#token) this.#accept(data.token);
      if (data.type === "signed-out" && this.#token) this.#end("You signed out.", true);
    };
  }

  get token() {
    return this.#token;
  }

  get maySignIn() {
    return localStorage.getItem(SIGNED_IN) !== null;
  }

  /** A header value of this device, shown in the list of devices. */
  get deviceName() {
    const agent = navigator.userAgent;
    const find = (names) => names.find((name) => agent.includes(name)) ?? "";
    const browser = find(["Firefox", "Edg", "OPR", "Chrome", "Safari"]).replace("Edg", "Edge").replace("OPR", "Opera");
    const system = find(["Android", "iPhone", "iPad", "Windows", "Mac OS", "CrOS", "Linux"]);
    return [browser || "Browser", system && `on ${system}`].filter(Boolean).join(" ");
  }

  get = (path, query) => this.call("GET", path, { query });
  post = (path, body = {}) => this.call("POST", path, { body });
  put = (path, body) => this.call("PUT", path, { body });
  patch = (path, body) => this.call("PATCH", path, { body });
  delete = (path) => this.call("DELETE", path);

  /** @throws {ApiError} */
  async call(method, path, { query, body } = {}) {
    const parameters = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null));
    const url = parameters.size ? `${path}?${parameters}` : path;
    const headers = { Accept: "application/json", "X-Client": "web" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (method === "POST" && !path.includes("/auth/")) headers["Idempotency-Key"] = newId();
    for (let tries = 0; ; tries++) {
      if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
      let response;
      try {
        const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
        response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
        if (response.ok) return response.status === 204 ? null : await response.json();
      } catch {
        throw new ApiError(OFFLINE, 0);
      }
      const error = new ApiError(await response.json().catch(() => ({})), response.status);
      error.retryAfterMs ??= Number(response.headers.get("Retry-After")) * 1000 || null;
      if (error.status === 401 && this.#token && tries === 0 && !path.includes("/auth/")) {
        await this.refresh({ force: true });
      } else if (error.status === 429 && tries < 3 && (error.retryAfterMs ?? Infinity) <= RETRY_WAIT_MS_MAX) {
        await sleep(error.retryAfterMs);
      } else throw error;
    }
  }

  /** Take over the session that log-in, registration or a claim answered. */
  begin(session) {
    localStorage.setItem(SIGNED_IN, "1");
    this.#userId = session.user.user_id;
    this.#accept(session.access_token);
    return session.user;
  }

  /**
   * Get a fresh access token: one request for all calls and all tabs that need it.
   * @throws {ApiError} `session_ended` when the server refused, `offline` when it was not reached
   */
  refresh({ force = false } = {}) {
    if (force) this.#expiresAt = 0;
    this.#refreshing ??= this.#refreshLocked().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refreshLocked() {
    const work = async () => {
      if (this.#expiresAt - Date.now() > REFRESH_AHEAD_MS) return; // another tab shared its token meanwhile
      try {
        const { access_token } = await this.call("POST", "/api/users/auth/refresh", { body: {} });
        this.#accept(access_token);
        this.#tabs.postMessage({ type: "token", token: access_token });
      } catch (error) {
        if (error.status !== 401 && error.status !== 403 && error.status !== 400) throw error;
        this.#end(this.#token ? "Your session has ended. Please log in again." : "");
        throw new ApiError({ detail: "Your session has ended.", code: "session_ended" }, 401);
      }
    };
    await (navigator.locks ? navigator.locks.request("nottermost-refresh", work) : work());
  }

  #accept(token) {
    const claims = readClaims(token);
    if (this.#userId && claims.sub && claims.sub !== this.#userId) location.reload(); // another account in another tab
    this.#userId ??= claims.sub;
    this.#token = token;
    const lifetimeMs = (claims.exp - claims.iat) * 1000 || 10 * 60_000;
    this.#expiresAt = Date.now() + lifetimeMs;
    clearTimeout(this.#timer);
    const keepFresh = () => this.refresh().catch((error) => error.code === "offline" && (this.#timer = setTimeout(keepFresh, 15_000)));
    this.#timer = setTimeout(keepFresh, Math.max(5_000, lifetimeMs - REFRESH_AHEAD_MS));
    this.dispatchEvent(new Event("token"));
  }

  /** @param {boolean} wanted the user asked for it: what the device keeps of them goes too */
  #end(reason, wanted = false) {
    localStorage.removeItem(SIGNED_IN);
    clearTimeout(this.#timer);
    this.#token = this.#userId = null;
    this.dispatchEvent(new CustomEvent("ended", { detail: { reason, wanted } }));
  }

  /** The server closed the session: the device was signed out. */
  sessionEnded() {
    if (this.#token) this.#end("Your session has ended. Please log in again.");
  }

  async signOut() {
    await this.call("POST", "/api/users/auth/logout", { body: {} }).catch(() => null);
    this.#tabs.postMessage({ type: "signed-out" });
    this.#end("You signed out.", true);
  }
}

function readClaims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

export const api = new Api();
