// Unpack the Chromium that the package brings, and the libraries that a bare machine lacks, into TMPDIR; says where it is.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium, { inflate } from "@sparticuz/chromium";

const packed = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
console.log(await chromium.executablePath());
await inflate(join(packed, "al2023.tar.br"));
