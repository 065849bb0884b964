// Pairs of pictures, one over the other: the slider (or a finger on a picture) moves the edge between them.
function render({ model, el }) {
  const pictures = document.createElement("div");
  pictures.style.cssText = "display:flex;flex-wrap:wrap;gap:4px";
  const tops = model.get("after").map((after, i) => {
    const pair = document.createElement("div");
    pair.style.cssText = "position:relative;line-height:0;touch-action:none;cursor:ew-resize";
    const [, over] = [model.get("before")[i], after].map((url, k) => {
      const img = document.createElement("img");
      img.src = url;
      img.alt = `${model.get("names")[k]}, picture ${i + 1}: ${model.get("alt")}`;
      img.draggable = false;
      img.style.cssText = `width:${model.get("side")}px;image-rendering:pixelated;` + (k ? "position:absolute;inset:0" : "");
      pair.append(img);
      return img;
    });
    const edge = document.createElement("div");
    edge.style.cssText = "position:absolute;top:0;bottom:0;width:2px;background:#fff;box-shadow:0 0 0 1px #000";
    pair.append(edge);
    const follow = (event) => {
      const at = pair.getBoundingClientRect();
      set(100 * Math.min(1, Math.max(0, (event.clientX - at.left) / at.width)));
    };
    pair.addEventListener("pointerdown", (event) => { pair.setPointerCapture(event.pointerId); follow(event); });
    pair.addEventListener("pointermove", (event) => event.buttons && follow(event));
    pictures.append(pair);
    return { over, edge };
  });
  const line = document.createElement("label");
  line.style.cssText = "display:flex;gap:8px;align-items:center;max-width:40em;margin-top:6px;" +
    "color:var(--jp-ui-font-color1,inherit)";
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: 100, step: 1 });
  slider.style.flex = "1";
  slider.setAttribute("aria-label", `share of ${model.get("names")[1]} shown, per cent`);
  line.append(model.get("names")[0], slider, model.get("names")[1]);
  const draw = () => {
    const x = model.get("position");
    slider.value = x;
    for (const { over, edge } of tops) {
      over.style.clipPath = `inset(0 ${100 - x}% 0 0)`;
      edge.style.left = `calc(${x}% - 1px)`;
    }
  };
  const set = (x) => { model.set("position", x); draw(); model.save_changes(); };
  slider.addEventListener("input", () => set(Number(slider.value)));
  model.on("change:position", draw);
  el.append(pictures, line);
  draw();
  return () => model.off("change:position", draw);
}
export default { render };
