// The stages of a new job: the picked plugins in the order they run, and kept under a name without leaving the page.
(() => {
  "use strict";
  const form = document.getElementById("new-job-form");
  const order = document.getElementById("stage-order");
  if (!form || !order) return;
  const list = order.querySelector("ol");
  const told = order.querySelector("[role=status]");
  const pattern = order.querySelector("template").content.firstElementChild;
  const boxes = [...form.querySelectorAll("input[name=plugins]")];
  const placeOf = (plugin) => form.querySelector(`[name="place.${CSS.escape(plugin)}"]`);

  let arranged = boxes.some((box) => placeOf(box.value).value); // by a person; else the stages stand as the plugins are listed

  // The picked plugins: those with a number first, by it, then as they are listed.
  function sorted() {
    const picked = boxes.filter((box) => box.checked);
    const rank = (box) => (arranged && Number(placeOf(box.value).value)) || 1000 + boxes.indexOf(box);
    return picked.sort((a, b) => rank(a) - rank(b));
  }

  function number(picked) {
    for (const box of boxes) {
      const at = picked.indexOf(box);
      placeOf(box.value).value = at < 0 ? "" : at + 1;
      // what is not picked is neither sent nor checked by the browser
      for (const field of form.querySelectorAll(`details[data-plugin="${CSS.escape(box.value)}"] :is(input, select)`)) field.disabled = at < 0;
    }
  }

  function row(box, at, count) {
    const item = pattern.cloneNode(true);
    item.dataset.plugin = box.value;
    item.dataset.colour = (at % 8) + 1;
    item.querySelector(".order-name").textContent = box.dataset.name;
    for (const button of item.querySelectorAll("button")) {
      const step = Number(button.dataset.step);
      button.querySelector(".visually-hidden").textContent += ` ${box.dataset.name}`;
      button.disabled = (step === -1 && at === 0) || (step === 1 && at === count - 1);
    }
    return item;
  }

  function draw(picked = sorted()) {
    number(picked);
    list.replaceChildren(...picked.map((box, at) => row(box, at, picked.length)));
    order.hidden = picked.length < 2;
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { plugin } = button.closest("li").dataset;
    const picked = sorted();
    const at = picked.findIndex((box) => box.value === plugin);
    const [box] = picked.splice(at, 1);
    if ("drop" in button.dataset) {
      box.checked = false;
      draw();
      told.textContent = `${box.dataset.name} is left out.`;
      document.getElementById(box.id).focus();
      return;
    }
    const to = at + Number(button.dataset.step);
    picked.splice(to, 0, box);
    arranged = true;
    draw(picked);
    told.textContent = `${box.dataset.name} is number ${to + 1} of ${picked.length}.`;
    const again = list.querySelector(`[data-plugin="${CSS.escape(plugin)}"]`);
    (again.querySelector(`[data-step="${button.dataset.step}"]:enabled`) || again.querySelector("[data-step]:enabled")).focus();
  });

  // Plugins and a saved pipeline exclude each other.
  form.addEventListener("change", ({ target }) => {
    if (target.name === "plugins") {
      const none = document.getElementById("take-none");
      if (target.checked && none) none.checked = true;
      draw();
    } else if (target.name === "pipeline" && target.value) {
      for (const box of boxes) box.checked = false;
      draw();
    } else if (target.name.startsWith("place.")) draw();
  });

  const save = document.getElementById("save-choice");
  const wrong = document.getElementById("wrong-save");
  const name = document.getElementById("pipeline-name");
  form.addEventListener("submit", async (event) => {
    if (event.submitter !== save) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const fields = new FormData(form);
    fields.delete("file");
    wrong.hidden = true;
    try {
      const answer = await fetch(save.getAttribute("formaction"), { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) return refuse(page.getElementById("wrong-save")?.textContent || `The server answered ${answer.status}.`);
      const picker = page.getElementById("pipeline-picker");
      document.getElementById("pipeline-picker")?.remove();
      document.getElementById("plugin-picker").before(picker);
      if (boxes.some((box) => box.checked)) document.getElementById("take-none").checked = true;
      if (!document.getElementById("delete-pipeline")) form.after(page.getElementById("delete-pipeline"));
      name.removeAttribute("aria-invalid");
      document.getElementById("saved-words").textContent = `Saved as “${name.value.trim()}”; it stands among the saved pipelines.`;
    } catch {
      refuse("The connection to the server was lost.");
    }
  });
  function refuse(words) {
    wrong.textContent = words;
    wrong.hidden = false;
    name.setAttribute("aria-invalid", "true");
    document.getElementById("saved-words").textContent = "";
    name.focus();
  }

  for (const help of form.querySelectorAll(".place")) help.hidden = true; // the list above does it better
  draw();
})();
