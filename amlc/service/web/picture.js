// The picture of a product: chosen, dropped or pasted, then checked, and resized if it is huge.

import { byId, dropZone, setMessage } from "./dom.js";
import { limits, megabytes } from "./net.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"];
// A larger file is resized, because it is sent again with each change of the text.
const RESIZE_BYTES = 2_000_000;
const RESIZE_PIXELS = 2048;
// A larger file is refused before the browser decodes it.
const MAX_BYTES = 100_000_000;

// Calls `changed` with the file to send, or with null.
export function pictureField(changed) {
  const [zone, input, preview, error, remove] =
    ["picture-drop", "picture", "preview", "picture-error", "picture-remove"].map(byId);

  function show(file) {
    URL.revokeObjectURL(preview.src);
    preview.hidden = !file;
    remove.hidden = !file;
    byId("picture-choose").textContent = file ? "Choose another picture" : "Choose a picture";
    if (file) preview.src = URL.createObjectURL(file);
    else preview.removeAttribute("src");
    changed(file);
  }

  async function take(file) {
    setMessage(error, "");
    try {
      show(await checked(file));
    } catch ({ message }) {
      show(null);
      setMessage(error, message);
    }
  }

  dropZone(zone, input, take);
  remove.addEventListener("click", () => {
    setMessage(error, "");
    show(null);
    input.focus();
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => TYPES.includes(type));
    if (!file || byId("one").hidden) return;
    event.preventDefault();
    take(file);
  });
  return { clear: () => { setMessage(error, ""); show(null); } };
}

async function checked(file) {
  if (file.size > MAX_BYTES) throw new Error(`The picture is too large (${megabytes(file.size)}).`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`“${file.name}” is not a picture that can be read. Choose a JPEG, PNG, WebP or GIF file.`);
  }
  const sent = file.size > RESIZE_BYTES ? await resized(bitmap) : file;
  bitmap.close();
  const max = await limits().then(({ image_bytes: bytes }) => bytes, () => Infinity);
  if (sent.size > max) {
    throw new Error(`The picture is too large (${megabytes(sent.size)}); the limit is ${megabytes(max)}.`);
  }
  return sent;
}

async function resized(bitmap) {
  const scale = Math.min(1, RESIZE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)),
  );
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
