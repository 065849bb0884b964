// A picture with a square on it, in the picture's own pixels: drag it, drag its corner, or use the keyboard.
function render({ model, el }) {
  const frame = document.createElement("div");
  frame.style.cssText = "position:relative;display:inline-block;line-height:0;touch-action:none;user-select:none";
  const img = document.createElement("img");
  img.style.cssText = "max-width:100%;display:block";
  img.draggable = false;
  const square = document.createElement("div");
  square.tabIndex = 0;
  square.setAttribute("role", "application");
  square.setAttribute("aria-label", "face box: arrow keys move it, plus and minus change its size");
  square.style.cssText = "position:absolute;box-sizing:border-box;border:2px solid #fff;outline:2px solid #0072B2;cursor:move";
  const corner = document.createElement("div");
  corner.style.cssText = "position:absolute;right:-7px;bottom:-7px;width:14px;height:14px;background:#fff;" +
    "border:2px solid #0072B2;box-sizing:border-box;cursor:nwse-resize";
  square.append(corner);
  frame.append(img, square);
  el.append(frame);

  const set = (x, y, side, done) => {
    const [width, height] = model.get("size");
    side = Math.round(Math.min(Math.max(side, model.get("smallest")), width, height));
    x = Math.round(Math.min(Math.max(x, 0), width - side));
    y = Math.round(Math.min(Math.max(y, 0), height - side));
    model.set("box", [x, y, side]);
    draw();
    if (done) model.save_changes();
  };
  const draw = () => {
    const [x, y, side] = model.get("box"), [width, height] = model.get("size");
    square.style.left = `${100 * x / width}%`;
    square.style.top = `${100 * y / height}%`;
    square.style.width = `${100 * side / width}%`;
    square.style.height = `${100 * side / height}%`;
  };
  const load = () => {
    img.src = model.get("picture");
    img.alt = model.get("alt");
    draw();
  };
  const drag = (grip, move) => grip.addEventListener("pointerdown", (start) => {
    if (start.target !== grip) return;
    const from = model.get("box"), scale = model.get("size")[0] / img.getBoundingClientRect().width;
    grip.setPointerCapture(start.pointerId);
    const step = (event, done) =>
      set(...move(from, (event.clientX - start.clientX) * scale, (event.clientY - start.clientY) * scale), done);
    const follow = (event) => step(event, false);
    grip.addEventListener("pointermove", follow);
    grip.addEventListener("pointerup", (event) => {
      grip.removeEventListener("pointermove", follow);
      step(event, true);
    }, { once: true });
    start.preventDefault();
    square.focus();
  });
  drag(square, ([x, y, side], dx, dy) => [x + dx, y + dy, side]);
  drag(corner, ([x, y, side], dx, dy) => [x, y, side + Math.max(dx, dy)]);
  square.addEventListener("keydown", (event) => {
    const [x, y, side] = model.get("box"), step = Math.max(1, Math.round(side / 20));
    const to = { ArrowLeft: [x - step, y, side], ArrowRight: [x + step, y, side], ArrowUp: [x, y - step, side],
      ArrowDown: [x, y + step, side], "+": [x, y, side + step], "-": [x, y, side - step] }[event.key];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    set(...to, true);
  });
  model.on("change:picture", load);
  model.on("change:box", draw);
  load();
  return () => { model.off("change:picture", load); model.off("change:box", draw); };
}
export default { render };
