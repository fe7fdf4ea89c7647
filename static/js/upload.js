// Sends the new job with a progress bar: fetch cannot tell how far an upload is, XMLHttpRequest can.
(() => {
  "use strict";
  const form = document.getElementById("new-job-form");
  if (!form) return;
  const input = document.getElementById("source-input");
  const submit = document.getElementById("submit-job");
  const progress = document.getElementById("upload-progress");
  const problem = document.getElementById("form-problem");
  let sending = null; // the request under way; "stopped" once a person has stopped it

  function refuse(words, cure) {
    problem.querySelector("[data-problem]").textContent = words;
    problem.querySelector("[data-cure]").textContent = cure;
    problem.hidden = false;
    progress.hidden = true;
    submit.disabled = false;
    problem.scrollIntoView({ block: "nearest" });
    problem.focus({ preventScroll: true });
  }

  // Says beside an option's field what is wrong with it, and shows the field.
  function blame(name, expected) {
    for (const place of form.querySelectorAll("[data-wrong]")) {
      const wrong = place.dataset.wrong === name;
      place.hidden = !wrong;
      place.textContent = wrong ? `Expected ${expected}.` : "";
      const field = form.elements[place.dataset.wrong];
      if (!wrong) { field.removeAttribute("aria-invalid"); continue; }
      field.setAttribute("aria-invalid", "true");
      place.closest("details").open = true;
      field.scrollIntoView({ block: "center" });
      field.focus({ preventScroll: true });
    }
  }

  // The fields of the picked plugins' options, by stage and option; a blank one means the default.
  function options(chosen) {
    const given = {};
    for (const plugin of chosen) {
      for (const field of form.querySelectorAll(`[name^="set.${CSS.escape(plugin)}."]`)) {
        if (field.value.trim() || (field.type === "text" && !field.list)) (given[plugin] ??= {})[field.name.slice(5 + plugin.length)] = field.value;
      }
    }
    return given;
  }

  function tell(percent, words) {
    progress.querySelector("progress").value = percent;
    progress.querySelector("[data-percent]").textContent = `${percent} %`;
    progress.querySelector("[data-words]").textContent = words;
  }

  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

  // Sends one file; the promise gives what the server answered, with its status.
  function send(file, fields, place) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    body.append("file", file);
    const request = new XMLHttpRequest();
    const began = performance.now();
    request.open("POST", form.dataset.api);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (sent) => {
      if (!sent.lengthComputable) return;
      const speed = sent.loaded / Math.max(0.001, (performance.now() - began) / 1000);
      tell(Math.floor((sent.loaded / sent.total) * 100), `${megabytes(sent.loaded)} of ${megabytes(sent.total)} MB sent, ${megabytes(speed)} MB a second${place}`);
    });
    request.upload.addEventListener("load", () => tell(100, `sent${place}; looking at the file…`));
    sending = request;
    return new Promise((done) => {
      request.addEventListener("load", () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* not from Sightline: the status is all there is to say */ }
        done({ detail: `The server answered ${request.status}.`, ...answer, made: request.status === 201 && answer.id });
      });
      request.addEventListener("error", () => done({ detail: "The connection to the server was lost." }));
      request.addEventListener("abort", () => done({ detail: "Stopped by you." }));
      request.send(body);
    });
  }

  const KEPT = "Your choices are kept: change what is wrong and start again.";

  // One job for each file, one after the other; what was refused is told by name, and does not stop the others.
  async function sendAll(files, fields) {
    const made = [];
    const refused = [];
    const wrong = [];
    for (const [number, file] of files.entries()) {
      const place = files.length > 1 ? `, file ${number + 1} of ${files.length}` : "";
      tell(0, `Sending${place}…`);
      const answer = await send(file, fields, place);
      if (answer.made) made.push(answer.made);
      else refused.push(files.length > 1 ? `${file.name}: ${answer.detail}` : answer.detail);
      if (answer.option) wrong.push(answer);
      if (sending === "stopped") break;
    }
    if (!refused.length) return location.assign(made.length === 1 ? `/jobs/${made[0]}` : "/jobs");
    refuse(refused.join(" "), made.length ? `${made.length} of ${files.length} jobs were started. ${KEPT}` : KEPT);
    if (wrong.length) blame(`set.${wrong[0].stage}.${wrong[0].option}`, wrong[0].expected);
  }

  document.getElementById("stop-upload").addEventListener("click", () => {
    const request = sending;
    sending = "stopped";
    request?.abort?.();
  });

  form.addEventListener("invalid", (event) => { event.target.closest("details")?.setAttribute("open", ""); }, true);
  form.addEventListener("submit", (event) => {
    const place = (plugin) => Number(form.elements[`place.${plugin}`]?.value) || 1000;
    const chosen = [...form.querySelectorAll("input[name=plugins]:checked")].map((box) => box.value).sort((a, b) => place(a) - place(b));
    const pipeline = form.querySelector("input[name=pipeline]:checked")?.value;
    const named = ["path", "url", "like"].some((name) => form.elements[name]?.value.trim());
    if (!chosen.length && !pipeline) {
      event.preventDefault();
      return refuse("No plugin is picked.", "Pick at least one plugin that shall look at the video.");
    }
    if (!input.files.length && named) return; // nothing to send: the browser posts the form as it does without scripts
    event.preventDefault();
    if (!input.files.length) return refuse("No file is chosen.", "Drop in a video or an image, or name a source.");
    const fields = { options: JSON.stringify(options(chosen)) };
    if (chosen.length) fields.plugins = chosen.join(",");
    if (pipeline) fields.pipeline = pipeline;
    for (const name of ["device", "pace", "loop", "tags"]) fields[name] = form.elements[name].value || undefined;
    if (input.files.length === 1) fields.name = form.elements.name.value;
    if (form.elements.strict_device.checked) fields.strict_device = "true";
    for (const name of Object.keys(fields)) if (!fields[name]) delete fields[name];
    problem.hidden = true;
    progress.hidden = false;
    submit.disabled = true;
    sendAll([...input.files], fields);
  });
})();
