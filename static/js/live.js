// Keeps the page true to its live connection: says how it stands, pauses it, and shows pictures only once they are loaded.
(() => {
  "use strict";
  const STALE_AFTER_S = 30; // nothing heard although connected
  const LOST_AFTER_S = 8; // not connected
  const PICTURE_PATIENCE_MS = 3000;
  const REFRESH_EVERY_MS = 4000;
  const ENDED = new Set(["completed", "completed_with_warnings", "failed", "cancelled", "deleted"]);

  const template = document.getElementById("feed-template");
  const state = document.getElementById("connection-state");
  const pause = document.getElementById("pause-updates");
  if (!template || !state || !pause) return;
  const feed = template.content.firstElementChild.cloneNode(true);

  let connected = false;
  let wasConnected = false;
  let ended = false;
  let heardAt = performance.now();
  let pictureAt = 0;
  let heldTimer = 0;
  let refreshedAt = performance.now();
  let lastPicture = null; // kept alive, so that the browser shows it again without asking for it
  const missed = new Map(); // what came while paused: the newest message for each place

  const paused = () => pause.getAttribute("aria-pressed") === "true";

  function say(name) {
    state.dataset.state = name;
    document.documentElement.dataset.connection = name;
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
    return data.includes('hx-swap="upsert"') ? targets + (data.match(/ id="[^"]*"/) || [""])[0] : targets;
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
    await htmx.swap({ text: colour(data), sourceElement: feed.isConnected ? feed : document.body, target: feed, swap: "none" });
  }

  function everyMs() {
    const slider = document.getElementById("fps-slider");
    return slider ? 1000 / Number(slider.value) : 0;
  }

  feed.addEventListener("htmx:sse:before:message", (event) => {
    const { detail } = event;
    heardAt = performance.now();
    const { data, event: name } = detail.message;
    if (name) return;
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
    detail.waitUntil(load(picture).catch(() => { detail.cancelled = true; }));
  });

  feed.addEventListener("htmx:sse:after:message", (event) => {
    const breakdown = document.getElementById("job-breakdown");
    const now = performance.now();
    if (breakdown && now - refreshedAt > REFRESH_EVERY_MS && /#job-metrics/.test(event.detail.message.data)) {
      refreshedAt = now;
      htmx.trigger(breakdown, "sightline:refresh");
    }
  });

  feed.addEventListener("htmx:sse:after:connection", () => {
    connected = true;
    heardAt = performance.now();
    if (wasConnected && !paused()) refresh("job-list");
    wasConnected = true;
    tell();
  });
  for (const name of ["htmx:sse:before:connection", "htmx:sse:error", "htmx:sse:close"]) {
    feed.addEventListener(name, () => { connected = false; tell(); });
  }
  feed.addEventListener("close", (event) => {
    ended = ENDED.has((event.detail.data || "").trim());
    if (ended && !paused()) setTimeout(finish);
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

  setTimeout(() => { // after htmx has looked over the page, and now that its extension is there
    document.body.append(feed);
    htmx.process(feed);
  });
  setInterval(tell, 1000);
  tell();
})();
