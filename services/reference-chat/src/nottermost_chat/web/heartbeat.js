/** A worker that keeps time: the timers of a page that nobody looks at are slowed down to one a minute, too slow for the heartbeat. */

let timer = 0;

/** `data`: milliseconds between two beats; 0: stop. */
onmessage = ({ data }) => {
  clearInterval(timer);
  timer = data ? setInterval(() => postMessage(null), data) : 0;
};
