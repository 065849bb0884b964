// Interrupts the kernel over the server's own interface, past the busy Python: what the toolbar's stop does.
function render({ model, el }) {
  const config = document.getElementById("jupyter-config-data");
  if (!config || !model.get("kernel")) {
    el.textContent = "To stop and save: interrupt this cell.";
    return;
  }
  const { baseUrl, token } = JSON.parse(config.textContent);
  const button = document.createElement("button");
  button.className = "jupyter-button lm-Widget jupyter-widgets";
  button.textContent = "stop and save";
  button.addEventListener("click", async () => {
    const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    const headers = { ...(xsrf && { "X-XSRFToken": xsrf[1] }), ...(token && { Authorization: `token ${token}` }) };
    const said = await fetch(`${baseUrl}api/kernels/${model.get("kernel")}/interrupt`, { method: "POST", headers });
    button.textContent = said.ok ? "stopping after this tick ..." : "interrupt the kernel instead";
    button.disabled = said.ok;
  });
  el.append(button);
}
export default { render };
