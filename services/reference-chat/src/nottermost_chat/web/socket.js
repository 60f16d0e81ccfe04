/** The live connection: authenticate, heartbeat, reconnect as the close table says. */

import { api } from "./api.js";

/** What to do after a close: seconds to wait, at random between two; null: do not come back. */
const CLOSE_RULES = {
  1000: null, // we asked for it
  1002: null, // protocol broken: a bug of ours
  1003: null, // binary frame
  1007: null, // not UTF-8
  1009: null, // frame too big
  4000: [0, 5], // the server is stopping
  4001: [1, 5], // we read too slowly
  4002: [0, 10], // the server may have missed something
  4003: [0, 5], // nothing came from us for 60 s
  4010: [1, 3], // our token was not accepted: a fresh one is, unless the session ended
  4011: [0, 1], // access token ended
  4012: null, // device signed out
  4013: [5, 30], // too many connections
};
const BACKOFF_S_MAX = 30;
const ANSWER_WITHIN_MS = 15_000; // a connection on which nothing comes for so long after we asked is lost, whatever the browser says
const REVOKED = 4012;
const NOT_AUTHENTICATED = 4010;
const NEEDS_TOKEN = new Set([NOT_AUTHENTICATED, 4011]);
const REFUSALS_MAX = 3; // fresh tokens refused in a row: trying on helps nobody

/**
 * Events: `frame` (detail: the server's frame), `state`.
 * `state` is "idle", "connecting", "open", "draining", "waiting" or "stopped".
 */
export class Socket extends EventTarget {
  state = "idle";
  #socket = null;
  #failures = 0;
  #refusals = 0;
  #refused = false;
  #timer = 0;
  #heartbeat = new Worker("/assets/heartbeat.js");
  #deadline = 0; // timer: by then something has to come
  #active = true;

  constructor() {
    super();
    this.#heartbeat.onmessage = () => this.#ping();
    const note = () => (this.#active = true);
    for (const type of ["pointerdown", "keydown", "wheel", "touchstart"]) addEventListener(type, note, { passive: true });
    addEventListener("online", () => this.#probe()); // after a change of networks the old connection is often dead
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.#active = true;
      this.#probe();
    });
    api.addEventListener("token", () => this.send({ type: "authenticate", token: api.token }));
  }

  connect() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#refused = false;
    this.#enter("connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "authenticate", token: api.token }));
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#socket === socket && this.#closed(this.#refused ? NOT_AUTHENTICATED : code);
    this.#expectAnswer();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#enter("idle");
  }

  /** @returns {boolean} whether it was handed to an authenticated connection */
  send(frame) {
    const usable = this.state === "open" || this.state === "draining";
    if (usable) this.#socket.send(JSON.stringify(frame));
    return usable;
  }

  #receive(frame) {
    this.#answered();
    if (frame.type === "error" && this.state === "connecting") this.#refused = true; // proxies may swallow the close code
    if (frame.type === "server:drain") this.#enter("draining");
    if (frame.type === "authenticated" && this.state === "connecting") {
      this.#failures = this.#refusals = 0;
      this.#heartbeat.postMessage((frame.heartbeat_s ?? 30) * 1000);
      this.#enter("open");
    }
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #ping() {
    if (!this.send({ type: "ping", active: this.#active })) return;
    this.#active = false;
    this.#expectAnswer();
  }

  #probe() {
    if (this.state === "waiting") this.connect();
    else this.#ping();
  }

  /** From the first question on that is unanswered: asking again does not put it off. */
  #expectAnswer() {
    this.#deadline ||= setTimeout(() => this.#closed(1006), ANSWER_WITHIN_MS);
  }

  #answered() {
    clearTimeout(this.#deadline);
    this.#deadline = 0;
  }

  async #closed(code) {
    this.#drop();
    if (code === REVOKED) {
      this.#enter("stopped");
      api.sessionEnded();
      return;
    }
    const rule = code in CLOSE_RULES ? CLOSE_RULES[code] : this.#backoff();
    if (code === NOT_AUTHENTICATED) this.#refusals++;
    if (rule === null || this.#refusals >= REFUSALS_MAX) {
      this.#enter("stopped");
      return;
    }
    this.#enter("waiting");
    const [min, max] = rule;
    this.#timer = setTimeout(async () => {
      try {
        await api.refresh({ force: NEEDS_TOKEN.has(code) }); // does nothing while the token is good
        if (this.state === "waiting") this.connect();
      } catch (error) {
        if (error.code !== "session_ended") this.#closed(1006);
      }
    }, (min + Math.random() * (max - min)) * 1000);
  }

  /** 1, 2, 4 … 30 s, each at random between half of it and all of it. */
  #backoff() {
    const seconds = Math.min(BACKOFF_S_MAX, 2 ** this.#failures++);
    return [seconds / 2, seconds];
  }

  #drop() {
    this.#heartbeat.postMessage(0);
    this.#answered();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #enter(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

export const socket = new Socket();
