// Keeps the page true to its live connection: says how it stands, pauses it, and shows pictures only once they are loaded.
(() => {
  "use strict";
  const STALE_AFTER_S = 30; // nothing heard although connected
  const LOST_AFTER_S = 8; // not connected
  const AGED_AFTER_S = 10; // a part that lives was not told anything
  const PICTURE_PATIENCE_MS = 3000;
  const REFRESH_EVERY_MS = 4000; // where a part does not say how often
  const ENDED = new Set(["completed", "completed_with_warnings", "failed", "cancelled", "deleted"]);

  const template = document.getElementById("feed-template");
  const state = document.getElementById("connection-state");
  const pause = document.getElementById("pause-updates");
  if (!template || !state || !pause) return;
  const feed = template.content.firstElementChild.cloneNode(true);

  const startedAt = performance.now();
  let connected = false;
  let wasConnected = false;
  let ended = false;
  let heardAt = performance.now();
  let connectedAt = performance.now();
  let pictureAt = 0;
  let heldTimer = 0;
  const refreshedAt = new Map(); // when each part that asks for itself again was last asked for
  let lastPicture = null; // kept alive, so that the browser shows it again without asking for it
  const missed = new Map(); // what came while paused: the newest message for each place

  const heard = new Map(); // when each part of the page that lives was last told something new
  let leastSince = Infinity; // the shortest time from telling to showing, in ms, by two clocks that may differ

  const paused = () => pause.getAttribute("aria-pressed") === "true";

  function say(name) {
    state.dataset.state = name;
    document.documentElement.dataset.connection = name;
    for (const place of state.querySelectorAll("[data-silent]")) place.textContent = words((performance.now() - heardAt) / 1000);
    age();
  }

  const words = (seconds) => (seconds < 60 ? `${Math.floor(seconds)} s` : `${Math.floor(seconds / 60)} min`);

  // While the job runs and the connection is well, a part that was told nothing for long says so itself.
  function age() {
    const runs = document.getElementById("job-status")?.dataset.status === "running" && connected && !paused() && !ended;
    for (const part of document.querySelectorAll("[data-aged]")) {
      const silent = (performance.now() - Math.max(heard.get(part.dataset.aged) ?? startedAt, connectedAt)) / 1000;
      const old = runs && silent > AGED_AFTER_S;
      part.hidden = !old;
      if (old) part.textContent = `Not updated for ${words(silent)}`;
      document.getElementById(part.dataset.aged)?.classList.toggle("old", old);
    }
  }

  function note(data) {
    for (const [, id] of data.matchAll(/hx-target="#([^"]*)"/g)) heard.set(id, performance.now());
  }

  // From decoding in the worker to being seen here: what the server measured until it told, and the way since then.
  function measure(data) {
    const place = document.getElementById("picture-delay");
    const [, told, before] = /data-told-ms="(\d+)" data-delay-ms="([\d.]+)"/.exec(data) ?? [];
    if (!place || !told) return;
    const since = Date.now() - Number(told);
    leastSince = Math.min(leastSince, since);
    const clocksApart = leastSince < 0 || leastSince > 1000 ? leastSince : 0; // the feed alone never takes so long
    const delay = Number(before) + since - clocksApart;
    place.textContent = `Shown ${delay < 1000 ? `${Math.round(delay)} ms` : `${(delay / 1000).toFixed(1)} s`} after it was decoded`;
  }

  function tell() {
    const silent = (performance.now() - heardAt) / 1000;
    if (ended && !paused()) say("ended");
    else if (paused()) say("paused");
    else if (connected) say(silent > STALE_AFTER_S ? "stale" : "live");
    else if (silent > LOST_AFTER_S) say("stale");
    else say(wasConnected ? "reconnecting" : "connecting");
  }

  function refresh(id) {
    if (document.getElementById(id)) htmx.ajax("GET", location.href, { source: document.body, target: `#${id}`, select: `#${id}`, swap: "outerMorph" });
  }

  function finish() {
    feed.remove();
    pause.disabled = true;
    const slider = document.getElementById("fps-slider");
    if (slider) slider.disabled = true;
    refresh("job");
    tell();
  }

  // Where a message goes: what came later for the same place replaces what came before.
  function place(data) {
    const targets = (data.match(/hx-target="[^"]*"/g) || []).join(" ");
    return data.includes('hx-swap="upsert') ? targets + (data.match(/ id="[^"]*"/g) || []).join(" ") : targets; // lists grow
  }

  function colour(data) {
    return data.replace(/data-stage="([^"]*)"/g, (all, stage) => {
      const panel = document.querySelector(`[data-stage-panel="${CSS.escape(stage)}"]`);
      return panel ? `${all} data-colour="${panel.dataset.colour}"` : all;
    });
  }

  const pictureOf = (data) => (/id="overlay-image" src="([^"]*)"/.exec(data) || [])[1];

  async function load(address) {
    const image = new Image();
    image.src = new DOMParser().parseFromString(address, "text/html").body.textContent;
    const late = new Promise((_, give_up) => setTimeout(() => give_up(new Error("late")), PICTURE_PATIENCE_MS));
    await Promise.race([image.decode(), late]);
    lastPicture = image;
  }

  async function show(data) {
    try {
      const picture = pictureOf(data);
      if (picture) await load(picture);
    } catch {
      return; // a picture that does not come is left out together with its boxes
    }
    if (paused()) missed.set(place(data), data);
    else {
      await htmx.swap({ text: colour(data), sourceElement: feed.isConnected ? feed : document.body, target: feed, swap: "none" });
      note(data);
      measure(data);
    }
  }

  function everyMs() {
    const slider = document.getElementById("fps-slider");
    return slider ? 1000 / Number(slider.value) : 0;
  }

  feed.addEventListener("htmx:sse:before:message", (event) => {
    const { detail } = event;
    heardAt = performance.now();
    if (document.hidden) document.dispatchEvent(new Event("visibilitychange")); // put behind while it connected
    const { data, event: name } = detail.message;
    if (name) { // only the end of the job is final: after a server's `close` htmx is to come back, so it does not hear of it
      if (name === "close" && !ENDED.has(data.trim())) detail.cancelled = true;
      return;
    }
    if (paused()) {
      missed.set(place(data), data);
      detail.cancelled = true;
      return;
    }
    tell();
    const picture = pictureOf(data);
    if (!picture) return;
    clearTimeout(heldTimer);
    const wait = pictureAt + everyMs() - performance.now();
    if (wait > 40) {
      detail.cancelled = true;
      heldTimer = setTimeout(() => { pictureAt = performance.now(); if (!paused()) show(data); }, wait);
      return;
    }
    pictureAt = performance.now();
    detail.message.data = colour(data);
    detail.waitUntil(load(picture).then(() => {
      if (!paused()) return;
      missed.set(place(data), data); // paused while the picture was on its way
      detail.cancelled = true;
    }, () => { detail.cancelled = true; }));
  });

  feed.addEventListener("htmx:sse:after:message", (event) => {
    note(event.detail.message.data);
    measure(event.detail.message.data);
    if (!/#job-(metrics|progress)/.test(event.detail.message.data)) return;
    const now = performance.now();
    for (const part of document.querySelectorAll('[hx-trigger="sightline:refresh"]')) {
      const every = Number(part.dataset.refreshMs) || REFRESH_EVERY_MS;
      if (now - (refreshedAt.get(part.id) ?? startedAt) < every) continue;
      refreshedAt.set(part.id, now);
      htmx.trigger(part, "sightline:refresh");
    }
  });

  feed.addEventListener("htmx:sse:after:connection", () => {
    connected = true;
    connectedAt = performance.now();
    heardAt = performance.now();
    if (wasConnected && !paused()) refresh("job-list");
    wasConnected = true;
    tell();
  });
  for (const name of ["htmx:sse:before:connection", "htmx:sse:error", "htmx:sse:close"]) {
    feed.addEventListener(name, () => { connected = false; tell(); });
  }
  feed.addEventListener("close", (event) => {
    ended = true;
    if (!paused()) setTimeout(finish);
    tell();
  });

  pause.disabled = false;
  pause.addEventListener("click", async () => {
    pause.setAttribute("aria-pressed", String(!paused()));
    tell();
    if (paused()) return;
    const late = [...missed.values()];
    missed.clear();
    for (const data of late) await show(data);
    if (ended) finish();
    else refresh("job-list");
  });

  function connect() {
    heardAt = performance.now();
    document.body.append(feed);
    htmx.process(feed);
  }

  // A browser has six connections for all its tabs: one that was opened behind others waits for its turn, as htmx lets go of
  // the connection of a tab that is put behind.
  setTimeout(() => { // after htmx has looked over the page, and now that its extension is there
    if (document.hidden) document.addEventListener("visibilitychange", connect, { once: true });
    else connect();
  });
  setInterval(tell, 1000);
  tell();
})();
