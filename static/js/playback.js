// Plays a job back from its stored outputs and on-demand pictures. The page may be drawn anew at any time, so nothing of it is held.
(() => {
  "use strict";
  const DRAWN_AT_ONCE = 60; // frames asked for together
  const CHUNKS_KEPT = 20;
  const PICTURES_KEPT = 90;
  const LATE_MS = 300; // further behind its time than this, playback takes a new start where it is
  const FRESH_MS = 2000; // so long frames of a running job are believed to be as they were
  const $ = (id) => document.getElementById(id);

  const chunks = new Map(); // first frame → {at, frames}
  const pictures = new Map(); // address → promise of a picture that is loaded
  let wanted = null; // where a person wants to go; the newest wish counts
  let going = false;
  let playing = false;

  const player = () => { const found = $("playback"); return found && !("live" in found.dataset) ? found : null; };
  const shown = () => Number(player().dataset.shown);
  const last = () => Number(player().dataset.last);
  const ends = () => $("connection-state")?.dataset.state === "ended";

  function keep(map, most) {
    while (map.size > most) map.delete(map.keys().next().value);
  }

  function drawn(index) {
    const start = index - (index % DRAWN_AT_ONCE);
    let chunk = chunks.get(start);
    if (!chunk || (!ends() && performance.now() - chunk.at > FRESH_MS)) {
      const address = `/jobs/${player().dataset.job}/overlays?start=${start}&end=${Math.min(start + DRAWN_AT_ONCE, last() + 1)}`;
      const frames = fetch(address).then(async (answer) => {
        if (!answer.ok) throw new Error(`the frames were not given (${answer.status})`);
        return new Map((await answer.json()).frames.map((frame) => [frame.index, frame]));
      });
      chunk = { at: performance.now(), frames };
      chunks.set(start, chunk);
      frames.catch(() => chunks.delete(start));
      keep(chunks, CHUNKS_KEPT);
    }
    return chunk.frames.then((frames) => frames.get(index));
  }

  function picture(address) {
    if (!pictures.has(address)) {
      const image = new Image();
      image.src = address;
      pictures.set(address, image.decode().then(() => image, () => { pictures.delete(address); return null; }));
      keep(pictures, PICTURES_KEPT);
    }
    return pictures.get(address);
  }

  async function show(index) {
    const frame = await drawn(index);
    if (!frame) return;
    await picture(frame.picture); // one that does not come leaves its place empty, and the boxes are still true
    if (!player()) return;
    await htmx.swap({ text: frame.html, sourceElement: document.body, target: document.body, swap: "none" });
    player().dataset.shown = index;
    mark(index);
    document.dispatchEvent(new CustomEvent("sightline:shown"));
  }

  // Everything that says where we are: the slider, the number, the links.
  function mark(index) {
    const stops = player().dataset.stops.split(",").filter(Boolean).map(Number);
    const number = (value) => value.toLocaleString("en-US");
    $("playback-slider").value = index;
    $("playback-slider").setAttribute("aria-valuetext", `Frame ${number(index)} of ${number(last())}`);
    if (document.activeElement !== $("frame-number")) $("frame-number").value = index;
    const ways = {
      '[data-step="-1"]': index - 1, '[data-step="1"]': index + 1,
      '[data-moment="-1"]': stops.findLast((stop) => stop < index), '[data-moment="1"]': stops.find((stop) => stop > index),
    };
    for (const [selector, way] of Object.entries(ways)) {
      const link = player().querySelector(selector);
      const open = way !== undefined && way >= 0 && way <= last();
      link.toggleAttribute("href", open);
      if (open) { link.href = `?frame=${way}`; link.removeAttribute("aria-disabled"); } else link.setAttribute("aria-disabled", "true");
    }
  }

  async function go(index) {
    wanted = Math.max(0, Math.min(last(), index));
    mark(wanted);
    if (going) return;
    going = true;
    try {
      while (wanted !== null) {
        const next = wanted;
        wanted = null;
        await show(next).catch(() => {});
      }
    } finally {
      going = false;
    }
    place();
  }

  // The address is that of the frame shown, so that it can be passed on, and loading it again changes nothing.
  function place() {
    if (player() && !playing) history.replaceState(null, "", `?frame=${shown()}`);
  }

  const resting = (ms) => new Promise((done) => setTimeout(done, ms));

  // Keeps to the source's own time: where pictures come a little slowly, frames between are left out; where they come
  // very slowly, it waits for them, so that little is left out all the same.
  async function play() {
    say(true);
    let at = shown() >= last() ? 0 : shown();
    let began = performance.now();
    let first = at;
    let speed = 0;
    while (playing && player()) {
      const wish = Number(player().dataset.fps) * Number($("play-speed").value);
      const late = performance.now() - began - ((at - first) / speed) * 1000;
      if (wish !== speed || late > LATE_MS) { speed = wish; began = performance.now() - Math.min(LATE_MS, 1000 / wish); first = at; }
      const due = first + Math.floor(((performance.now() - began) / 1000) * speed);
      const next = Math.min(last(), Math.max(at + 1, due));
      const early = began + ((next - first) / speed) * 1000 - performance.now();
      if (early > 4) await resting(Math.min(early, 100));
      if (early > 100) continue;
      const stride = next - at;
      drawn(Math.min(last(), next + stride)).then((frame) => frame && picture(frame.picture), () => {});
      await show(next).catch(() => {});
      at = next;
      if (at >= last()) break;
    }
    say(false);
    place();
  }

  function say(now) {
    playing = now;
    $("play")?.setAttribute("aria-pressed", String(now));
  }

  function hold() {
    if (!playing) return;
    say(false);
    place();
  }

  function move(index) {
    hold();
    go(index);
  }

  document.addEventListener("click", (event) => {
    if (!player() || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest("#play")) { if (playing) hold(); else play(); return; }
    const link = event.target.closest("[data-step], [data-moment], [data-frame]");
    if (!link) return;
    event.preventDefault();
    if (!link.hasAttribute("href")) return;
    move(Number(new URL(link.href).searchParams.get("frame")));
    if (link.dataset.frame) $("watch").scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "playback-slider") move(Number(event.target.value));
  });
  document.addEventListener("submit", (event) => {
    if (!player() || !event.target.closest("#playback")) return;
    event.preventDefault();
    move(Number($("frame-number").value));
  });
  document.addEventListener("keydown", (event) => {
    if (!player() || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const here = event.target;
    const free = here === document.body || here.id === "main" || here.id === "playback-slider" || here.matches(".mark");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (free && step) { event.preventDefault(); move((wanted ?? shown()) + step * (event.shiftKey ? 10 : 1)); }
    else if (free && event.key === " " && !here.matches(".mark")) { event.preventDefault(); if (playing) hold(); else play(); }
  });
})();
