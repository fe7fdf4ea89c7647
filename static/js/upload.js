// Sends the new job with a progress bar: fetch cannot tell how far an upload is, XMLHttpRequest can.
(() => {
  "use strict";
  const form = document.getElementById("new-job-form");
  if (!form) return;
  const input = document.getElementById("source-input");
  const submit = document.getElementById("submit-job");
  const drop = form.querySelector(".drop");
  const progress = document.getElementById("upload-progress");
  const problem = document.getElementById("form-problem");

  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  }
  drop.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });

  function refuse(words, cure) {
    problem.querySelector("[data-problem]").textContent = words;
    problem.querySelector("[data-cure]").textContent = cure;
    problem.hidden = false;
    progress.hidden = true;
    submit.disabled = false;
    problem.scrollIntoView({ block: "nearest" });
  }

  function tell(percent, words) {
    progress.querySelector("progress").value = percent;
    progress.querySelector("[data-percent]").textContent = `${percent} %`;
    progress.querySelector("[data-words]").textContent = words;
  }

  function answered(request) {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* not from Sightline: the status is all there is to say */ }
    if (request.status === 201 && answer.id) location.assign(`/jobs/${answer.id}`);
    else refuse(answer.detail || `The server answered ${request.status}.`, "Your choices are kept: change what is wrong and start again.");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...form.querySelectorAll("input[name=plugins]:checked")].map((box) => box.value);
    if (!chosen.length) return refuse("No plugin is picked.", "Pick at least one plugin that shall look at the video.");
    const body = new FormData();
    body.append("plugins", chosen.join(","));
    body.append("device", form.elements.device.value);
    body.append("file", input.files[0]);
    const request = new XMLHttpRequest();
    request.open("POST", form.dataset.api);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (sent) => {
      if (sent.lengthComputable) tell(Math.floor((sent.loaded / sent.total) * 100), "sent");
    });
    request.upload.addEventListener("load", () => tell(100, "sent; looking at the file…"));
    request.addEventListener("load", () => answered(request));
    request.addEventListener("error", () => refuse("The connection to the server was lost.", "See whether it still runs, then start again."));
    problem.hidden = true;
    progress.hidden = false;
    submit.disabled = true;
    tell(0, "Sending…");
    request.send(body);
  });
})();
