// Helps the overlay: readable labels at any size, what is shown and hidden, the box a person picks, full screen.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const rules = new CSSStyleSheet(); // holds for marks that come later too, so that nothing flickers
  document.adoptedStyleSheets.push(rules);
  const quoted = (text) => `"${CSS.escape(text)}"`;
  let styled = "";
  let picked = null; // {stage, track, place, frame}: a thing of the overlay that a person wants to know more about

  // Labels are drawn in the frame's pixels; the scale says how many of them make one pixel of the screen.
  function scale() {
    for (const overlay of document.querySelectorAll(".overlay")) {
      const drawn = overlay.querySelector(".boxes")?.getScreenCTM();
      if (drawn?.a) overlay.style.setProperty("--scale", (1 / drawn.a).toFixed(3));
    }
  }
  const observer = new ResizeObserver(scale);
  for (const overlay of document.querySelectorAll(".overlay")) observer.observe(overlay);

  function style() {
    const hidden = [...document.querySelectorAll("[data-toggle-stage]:not(:checked)")];
    const least = Number($("confidence-slider")?.value ?? 0);
    const unsure = Array.from({ length: least }, (_, sure) => `[data-sure="${sure}"]`).join();
    const text = hidden.map((box) => `.overlay [data-stage=${quoted(box.value)}] { display: none; }`);
    if (unsure) text.push(`.overlay .mark:is(${unsure}) { display: none; }`);
    if (picked) text.push(`.overlay ${selector(picked)} > :not(text) { stroke-width: 4.5; stroke-dasharray: none; }`);
    const wanted = text.join("\n");
    if (wanted !== styled) rules.replaceSync(wanted);
    styled = wanted;
    if ($("confidence-value")) $("confidence-value").value = least ? `${least} %` : "all";
  }

  const selector = ({ stage, track, place }) => `[data-stage=${quoted(stage)}] ${track ? `.mark[data-track="${track}"]` : `.mark:nth-child(${place})`}`;
  const frameShown = () => $("overlay-image")?.getAttribute("src");

  function inspect(stage) {
    const panel = document.querySelector(`[data-stage-panel="${CSS.escape(stage)}"]`);
    if (panel) panel.open = true;
  }

  function pick(mark) {
    const group = mark.closest("[data-stage]");
    const place = [...group.children].indexOf(mark) + 1;
    picked = { stage: group.dataset.stage, track: mark.dataset.track, place, frame: frameShown() };
    inspect(picked.stage);
    tellPicked();
    style();
  }

  // Boxes lie over one another: the smallest under the pointer is the one that is meant.
  function smallestAt(event) {
    const marks = new Set(document.elementsFromPoint(event.clientX, event.clientY).map((element) => element.closest("#overlay-boxes .mark")));
    const area = (mark) => { const { width, height } = mark.getBBox(); return width * height; };
    return [...marks].filter(Boolean).sort((one, other) => area(one) - area(other))[0] ?? event.target.closest(".mark");
  }

  function unpick() {
    picked = null;
    if ($("picked")) $("picked").hidden = true;
    style();
  }

  // A thing with a track is followed from frame to frame; any other is gone with its frame.
  function tellPicked() {
    if (!picked || !$("picked")) return;
    if (!picked.track && picked.frame !== frameShown()) { unpick(); return; }
    const mark = document.querySelector(`#overlay-boxes ${selector(picked)}`);
    $("picked").hidden = false;
    $("picked").dataset.colour = document.querySelector(`[data-stage-panel="${CSS.escape(picked.stage)}"]`)?.dataset.colour ?? "";
    $("picked-name").textContent = mark ? mark.getAttribute("aria-label") : `${picked.stage}: #${picked.track} is not on this frame`;
    $("picked-place").textContent = mark ? where(mark) : "";
  }

  function where(mark) {
    const shape = mark.querySelector(":not(text)");
    if (!shape) return "";
    const { x, y, width, height } = shape.getBBox();
    const whole = mark.ownerSVGElement.viewBox.baseVal;
    const at = `${Math.round(x)}, ${Math.round(y)}`;
    return width || height ? `${Math.round(width)} × ${Math.round(height)} px at ${at} (${(100 * width * height / (whole.width * whole.height)).toFixed(1)} % of the frame)` : `at ${at} px`;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-inspect]");
    if (link) inspect(link.dataset.inspect);
    if (event.target.closest("#overlay-boxes .mark")) pick(smallestAt(event));
    if (event.target.closest("#picked-close")) unpick();
    if (event.target.closest("#full-screen")) fullScreen();
  });
  document.addEventListener("keydown", (event) => {
    const mark = (event.key === "Enter" || event.key === " ") && event.target.closest?.("#overlay-boxes .mark");
    if (mark) { event.preventDefault(); pick(mark); }
    else if (event.key === "Escape" && picked) unpick();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-toggle-stage], #confidence-slider")) style();
    if (event.target.id === "fps-slider") $("fps-value").value = event.target.value;
  });

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else $("watch")?.requestFullscreen();
  }
  document.addEventListener("fullscreenchange", () => {
    $("full-screen")?.setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
    scale();
  });

  document.addEventListener("htmx:after:swap", () => { scale(); style(); tellPicked(); });
  document.addEventListener("sightline:shown", () => { scale(); tellPicked(); });
  style();
})();
