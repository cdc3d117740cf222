/**
 * The station as the people there see it: what the server last told, with what they have done since laid over it.
 *
 * Pure: no clock, no network, no page. The server decides; this only keeps the screen from telling yesterday's story
 * while there is no network.
 */

export const RUNNING = "running";
export const INTERRUPTED = "interrupted";
export const ENDED = "ended";
export const READY = "allowed_to_start";

const number = (value) => Number(value) || 0;

function addQuantities(job, payload) {
  job.good += number(payload.good);
  job.scrap += number(payload.scrap);
  job.rework += number(payload.rework);
  job.remaining = Math.max(0, job.quantity - job.good - job.scrap - job.rework);
  if (job.proposal) job.proposal = Math.max(0, job.proposal - number(payload.good) - number(payload.scrap) - number(payload.rework));
}

const EFFECTS = {
  start: (job, action) => {
    job.state = RUNNING;
    job.started_ms ??= action.at_ms;
    job.since_ms = action.at_ms;
    job.isHere = true;
  },
  pause: (job, action) => {
    job.state = INTERRUPTED;
    job.reason = action.payload.reason;
    job.reason_zh = job.reason_en = "";
    job.since_ms = action.at_ms;
  },
  resume: (job, action) => {
    job.state = RUNNING;
    job.reason = "";
    job.since_ms = action.at_ms;
  },
  report: (job, action) => addQuantities(job, action.payload),
  finish: (job, action) => {
    addQuantities(job, action.payload);
    job.state = ENDED;
  },
  set_up: (job) => { job.isSetUp = true; },
  consume: (job, action) => {
    const need = job.materials.find((one) => one.id === action.payload.requirement);
    if (need) need.consumed += number(action.payload.quantity);
    job.scans = [{ code: action.payload.lot, quantity: number(action.payload.quantity), at_ms: action.at_ms }, ...(job.scans ?? [])];
  },
  check: (job, action) => {
    const step = job.checks.find((one) => one.code === action.payload.check);
    if (!step) return;
    const { value, passed } = action.payload;
    const isInside = value === null || value === undefined || ((step.low === null || value >= step.low) && (step.high === null || value <= step.high));
    step.done = { at_ms: action.at_ms, value: value ?? null, passed: passed ?? isInside };
  },
  parameters: (job, action) => { job.values = { ...job.values, ...action.payload.values }; },
  crew: () => {},
  note: () => {},
};

/** Lay actions over a picture; neither is changed. Actions that are in conflict, held or refused have no effect. */
export function project(picture, actions) {
  const state = structuredClone(picture);
  state.jobs ??= [];
  state.people ??= [];
  for (const action of actions) {
    if (action.outcome && state.stream === action.stream && action.sequence <= state.taken_through) continue;
    if (action.outcome && action.outcome !== "applied") continue;
    if (action.kind === "sign_in") signIn(state, action);
    else if (action.kind === "sign_out") state.people = state.people.filter((one) => one.session !== action.session);
    else if (action.kind === "help") state.help = [{ kind: action.payload.kind, at_ms: action.at_ms }, ...(state.help ?? [])];
    else {
      const job = state.jobs.find((one) => one.id === action.job);
      if (job) EFFECTS[action.kind]?.(job, action);
    }
  }
  return state;
}

function signIn(state, action) {
  if (state.people.some((one) => one.session === action.session)) return;
  state.people.push({ session: action.session, ...action.person });
}

/** The job that this station is at: running before paused, later begun before earlier. */
export function currentJob(state, wanted = null) {
  const here = state.jobs.filter((job) => job.isHere !== false && (job.state === RUNNING || job.state === INTERRUPTED));
  const order = (job) => [job.id === wanted ? 1 : 0, job.state === RUNNING ? 1 : 0, job.started_ms ?? 0];
  return here.sort((a, b) => order(b).reduce((sum, value, i) => sum || value - order(a)[i], 0))[0] ?? null;
}

/** What may be started next, in the order of the dispatch list: the plan's, where there is one. */
export const nextJobs = (state) => state.jobs.filter((job) => job.state !== RUNNING && job.state !== INTERRUPTED && job.state !== ENDED);

/** The steps of a job in their order: checks, then what is built in; the first open one is in focus. */
export function stepsOf(job) {
  const steps = job.checks.map((check) => ({ kind: "check", key: `check:${check.code}`, of: check, isDone: Boolean(check.done), isBad: check.done?.passed === false }));
  for (const need of job.materials) {
    steps.push({ kind: "material", key: `material:${need.id}`, of: need, isDone: need.consumed >= need.needed, isBad: false });
  }
  if (job.parameters.length) {
    const isDone = job.parameters.every((one) => one.code in (job.values ?? {}));
    steps.push({ kind: "parameters", key: "parameters", of: job.parameters, isDone, isBad: false });
  }
  return steps;
}

/**
 * Whether a person may still have to say that the set-up is done: the job plans one (or wants it confirmed), nobody has
 * said so, and nothing is made yet. Who reports pieces has set up: nobody is held up by a button.
 */
export const isSettingUp = (job) => job.state === RUNNING && job.has_set_up && !job.isSetUp && job.good + job.scrap + job.rework === 0;

/** Mandatory steps that stand in the way of finishing. */
export const openSteps = (job) => stepsOf(job).filter((step) => !step.isDone && step.kind === "check" && step.of.is_mandatory);

/** Which open need a scanned lot or serial meets: the one whose lots name it, else the only one that is traced. */
export function needFor(job, code) {
  const open = job.materials.filter((need) => need.consumed < need.needed && need.tracking !== "none");
  const named = job.materials.find((need) => need.lots?.some((lot) => lot.code === code || lot.uri === code));
  if (named) return { need: named, isSure: true };
  return open.length === 1 ? { need: open[0], isSure: false } : { need: null, isSure: false };
}
