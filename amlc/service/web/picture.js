// The picture of a product: chosen, dropped or pasted, looked at, and made smaller where it is huge.

import { by, dropZone, say } from "./dom.js";
import { megabytes, model } from "./net.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"];
// A larger file is sent smaller: it goes out again with each change of the text.
const AS_IT_IS = 2_000_000;
const LONGEST = 2048;
// No browser should be asked to decode more.
const MOST = 100_000_000;

// Calls `changed` with the file to send, or null.
export function pictureField(changed) {
  const [zone, input, preview, fault, remove] =
    ["picture-drop", "picture", "preview", "picture-fault", "picture-remove"].map(by);

  function show(file) {
    URL.revokeObjectURL(preview.src);
    preview.hidden = !file;
    remove.hidden = !file;
    by("picture-choose").textContent = file ? "Choose another picture" : "Choose a picture";
    if (file) preview.src = URL.createObjectURL(file);
    else preview.removeAttribute("src");
    changed(file);
  }

  async function take(file) {
    say(fault, "");
    try {
      show(await checked(file));
    } catch (error) {
      show(null);
      say(fault, error.message);
    }
  }

  dropZone(zone, input, take);
  remove.addEventListener("click", () => {
    say(fault, "");
    show(null);
    input.focus();
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => TYPES.includes(type));
    if (!file || by("one").hidden) return;
    event.preventDefault();
    take(file);
  });
  return { clear: () => { say(fault, ""); show(null); }, fail: (message) => say(fault, message) };
}

async function checked(file) {
  if (file.size > MOST) throw new Error(`The picture is too large: it has ${megabytes(file.size)}.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`“${file.name}” is not a picture that can be read. Choose a JPEG, PNG, WebP or GIF file.`);
  }
  const sent = file.size > AS_IT_IS ? await smaller(bitmap) : file;
  bitmap.close();
  const most = await model().then(({ image_bytes: bytes }) => bytes, () => Infinity);
  if (sent.size > most) {
    throw new Error(`The picture is too large: it has ${megabytes(sent.size)}, at most ${megabytes(most)} are taken.`);
  }
  return sent;
}

async function smaller(bitmap) {
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)),
  );
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.imageSmoothingQuality = "high";
  paint.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
