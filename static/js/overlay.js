// Helps the overlay and the inspector: readable labels at any size, the chosen pictures a second, the panel of a clicked stage.
(() => {
  "use strict";
  const stream = document.getElementById("overlay-stream");
  const slider = document.getElementById("fps-slider");
  if (!stream) return;

  // Labels are drawn in the frame's pixels; the scale says how many of them make one pixel of the screen.
  function scale() {
    const boxes = document.getElementById("overlay-boxes");
    if (boxes && boxes.clientWidth) stream.style.setProperty("--scale", (boxes.viewBox.baseVal.width / boxes.clientWidth).toFixed(3));
  }
  new ResizeObserver(scale).observe(stream);
  document.addEventListener("htmx:after:swap", scale);

  function inspect(stage) {
    const panel = document.querySelector(`[data-stage-panel="${CSS.escape(stage)}"]`);
    if (panel) panel.open = true;
    return panel;
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-inspect]");
    const marks = event.target.closest("[data-stage]");
    if (link) inspect(link.dataset.inspect);
    else if (marks) inspect(marks.dataset.stage);
  });
  document.addEventListener("keydown", (event) => {
    const marks = event.key === "Enter" && event.target.closest("[data-stage]");
    if (marks) inspect(marks.dataset.stage);
  });

  slider?.addEventListener("input", () => { document.getElementById("fps-value").value = slider.value; });
})();
