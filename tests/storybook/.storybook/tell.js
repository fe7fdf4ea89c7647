// Shows a story's HTML; a live one is told its recording through htmx, its SSE extension and live.js, as on the product's pages.
const recordings = new Map(); // address of a feed → its messages, each [milliseconds after the first, text]
const ask = window.fetch.bind(window);

// The one thing a Storybook lacks is the server: its answer is a stream made of the recording.
window.fetch = (input, init) => {
  const path = new URL(typeof input === "string" ? input : input.url ?? input, location.href).pathname;
  return recordings.has(path) ? Promise.resolve(play(recordings.get(path))) : ask(input, init);
};

function play(messages) {
  const encoder = new TextEncoder();
  const start = performance.now();
  let next = 0;
  const body = new ReadableStream({
    async pull(stream) {
      if (next === messages.length) return stream.close();
      const [afterMs, text] = messages[next++];
      await new Promise((resume) => { setTimeout(resume, start + afterMs - performance.now()); });
      return stream.enqueue(encoder.encode(text));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
}

export function tell({ html, feed, messages }) {
  const story = document.createElement("div");
  story.className = "story";
  story.innerHTML = `<div class="stage-set">${html}</div>`;
  if (messages) recordings.set(feed, messages);
  return story;
}

// Each showing of a live story starts the page's script anew, as opening a page does.
export async function start() {
  const script = document.createElement("script");
  script.src = `/static/js/live.js?showing=${Math.random()}`;
  document.body.append(script);
}
