/** Reading a code with the camera, where the browser can: it needs TLS, a camera, and BarcodeDetector. */

import { plainCode } from "./scanner.js";

const EVERY_MS = 150;

export const hasCamera = () => "BarcodeDetector" in globalThis && Boolean(navigator.mediaDevices?.getUserMedia);

/** Show the camera in `video` until a code is read or `signal` aborts; return the code, or null. Throws without a camera. */
export async function readCode(video, signal) {
  const detector = new BarcodeDetector();
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    video.srcObject = stream;
    await video.play();
    while (!signal.aborted) {
      const found = await detector.detect(video).catch(() => []);
      if (found.length) return plainCode(found[0].rawValue);
      await new Promise((resolve) => { setTimeout(resolve, EVERY_MS); });
    }
    return null;
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  }
}
