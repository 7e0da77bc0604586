// One request at a time: what is done meanwhile waits and goes out together, so that replies come in order.
const SLOW = ['open_file', 'open_example', 'download']; // at most one in a request, which has one reply
const DOUBT = 4000; // milliseconds without a reply, after which it is looked whether the server is still there

function makeMailbox(send, tellBusy, tellLost) {
  let waiting = [];
  let inFlight = null;
  let number = 0;
  let timer = 0;

  async function doubt() {
    const asked = inFlight;
    const there = await fetch('robots.txt', { cache: 'no-store' }).then((answer) => answer.ok, () => false);
    if (there || inFlight !== asked) return;
    clearInterval(timer);
    inFlight = null;
    waiting = [];
    tellBusy(false);
    tellLost();
  }

  function flush() {
    if (inFlight || !waiting.length) return;
    const slow = waiting.findIndex((action) => SLOW.includes(action.kind));
    const actions = waiting.splice(0, slow < 0 ? 32 : Math.min(32, slow + 1));
    inFlight = { number: ++number, actions, since: performance.now() };
    timer = setInterval(doubt, DOUBT);
    tellBusy(true);
    send(inFlight.number, inFlight.actions);
  }

  return {
    post(action) { waiting.push(action); flush(); },
    // What the server has not answered yet, in the order in which it was done.
    unanswered() { return [...(inFlight ? inFlight.actions : []), ...waiting]; },
    // Milliseconds that a reply took; null for a reply to nothing that waits. Numbers below 1 answer whatever waits.
    receive(reply) {
      if (!inFlight || (reply.number !== inFlight.number && reply.number > 0)) return null;
      clearInterval(timer);
      const took = performance.now() - inFlight.since;
      inFlight = null;
      flush();
      if (!inFlight) tellBusy(false);
      return took;
    },
  };
}
