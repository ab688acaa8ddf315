// Logging in: by password, or by the one-time link's token behind the # of the address.

const form = document.getElementById("form");
const said = document.getElementById("said");
const button = form.querySelector("button");
const words = { 421: "This address is not served. Open the dashboard by the address it was given." };

async function enter(path, body) {
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    if (answer.ok) {
      location.replace("/overview");
      return;
    }
    said.textContent = words[answer.status] ?? (await answer.text());
  } catch {
    said.textContent = "The dashboard does not answer. Does it still run?";
  }
  button.disabled = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter("/login", { password: form.querySelector("input").value });
});

function byLink() {
  const once = new URLSearchParams(location.hash.slice(1)).get("once");
  if (!once) return;
  history.replaceState(null, "", "/login"); // the token does not stay in the history
  enter("/login/link", { token: once });
}
addEventListener("hashchange", byLink);
byLink();
