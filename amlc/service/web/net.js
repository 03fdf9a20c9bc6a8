// Requests to this server, and its errors in words.

export class Trouble extends Error {
  constructor(message, { field = "", retryAfter = 0 } = {}) {
    super(message);
    this.field = field;
    this.retryAfter = retryAfter;
  }
}

// Resolves to a good Response; rejects with a Trouble, or with an AbortError.
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The server cannot be reached. Is it still running, and are you online?", { retryAfter: 5 });
  }
  if (response.ok) return response;
  throw await trouble(response);
}

async function trouble(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    const problem = await response.json();
    return new Trouble(problem.detail, { field: problem.errors[0]?.field, retryAfter });
  } catch {
    return new Trouble(`The server answered ${response.status} ${response.statusText}.`, { retryAfter });
  }
}

let limits;

// What the model is and what the server takes; asked for once.
export function model() {
  limits ??= ask("/v1/model").then((response) => response.json());
  // After a failure the next caller asks again.
  limits.catch(() => { limits = undefined; });
  return limits;
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}
