/** The count of alarms that nobody has acknowledged, beside "Alarms" in the navigation of every page. */
import { listen } from "./live.js";

const badge = document.querySelector("[data-nav-alarms]");

function take({ counts }) {
  const worst = Object.keys(counts.unacked_by_priority).filter((one) => counts.unacked_by_priority[one]).sort()[0];
  badge.hidden = !counts.unacked;
  if (worst) badge.dataset.worst = worst;
  else delete badge.dataset.worst;
  const node = badge.querySelector("b");
  if (node.textContent !== String(counts.unacked)) node.textContent = String(counts.unacked);
}

if (badge) listen([`alarms:${badge.dataset.navAlarms}`], take);
