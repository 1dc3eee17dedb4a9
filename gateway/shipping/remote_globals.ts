/** The global names that code on the far side can count on. */

/** The version of Deno that the list is of. */
export const LISTED_DENO = "2.9.6";

/**
 * What ECMAScript, the web platform and Deno offer in a main isolate or in a Worker, sorted; and what executions
 * get besides. A test compares the list with a fresh process and a fresh Worker.
 *
 * A list, and not a look at `globalThis`, because a program adds to its own: `globalThis.helper = …` exists only here.
 */
export const LISTED_GLOBALS = `
AbortController AbortSignal AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt
BigInt64Array BigUint64Array Blob Boolean BroadcastChannel Buffer ByteLengthQueuingStrategy Cache
CacheStorage CloseEvent CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException
DOMMatrix DOMMatrixReadOnly DOMPoint DOMPointReadOnly DOMQuad DOMRect DOMRectReadOnly DataView Date
DecompressionStream DedicatedWorkerGlobalScope Deno DisposableStack Error ErrorEvent EvalError Event
EventSource EventTarget File FileReader FinalizationRegistry Float16Array Float32Array Float64Array
FormData Function GPU GPUAdapter GPUAdapterInfo GPUBindGroup GPUBindGroupLayout GPUBuffer GPUBufferUsage
GPUCanvasContext GPUColorWrite GPUCommandBuffer GPUCommandEncoder GPUCompilationInfo
GPUCompilationMessage GPUComputePassEncoder GPUComputePipeline GPUDevice GPUDeviceLostInfo GPUError
GPUInternalError GPUMapMode GPUOutOfMemoryError GPUPipelineError GPUPipelineLayout GPUQuerySet GPUQueue
GPURenderBundle GPURenderBundleEncoder GPURenderPassEncoder GPURenderPipeline GPUSampler GPUShaderModule
GPUShaderStage GPUSupportedFeatures GPUSupportedLimits GPUTexture GPUTextureUsage GPUTextureView
GPUUncapturedErrorEvent GPUValidationError Headers ImageBitmap ImageBitmapRenderingContext ImageData
Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Location Lock LockManager Map Math
MessageChannel MessageEvent MessagePort NaN Navigator NavigatorUAData Number Object OffscreenCanvas
Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver
PerformanceObserverEntryList ProgressEvent Promise PromiseRejectionEvent Proxy QuotaExceededError
RangeError ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest
ReadableStreamDefaultController ReadableStreamDefaultReader ReferenceError Reflect RegExp Request
Response Set SharedArrayBuffer Storage String SubtleCrypto SuppressedError Symbol SyntaxError Temporal
TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream
TransformStreamDefaultController TypeError URIError URL URLPattern URLSearchParams Uint16Array
Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly WebSocket Window Worker
WorkerGlobalScope WorkerLocation WorkerNavigator WritableStream WritableStreamDefaultController
WritableStreamDefaultWriter __name__ addEventListener alert atob btoa caches channel clearImmediate
clearInterval clearTimeout close closed confirm console createImageBitmap crypto decodeURI
decodeURIComponent dispatchEvent encodeURI encodeURIComponent escape eval fetch global globalThis
isFinite isNaN localStorage location name navigator onbeforeunload onerror onload onmessage
onunhandledrejection onunload parseFloat parseInt performance postMessage process prompt queueMicrotask
removeEventListener reportError self sessionStorage setImmediate setInterval setTimeout structuredClone
undefined unescape
`;

const listed: ReadonlySet<string> = new Set(LISTED_GLOBALS.trim().split(/\s+/));

/** What only executions with a channel have. */
const OF_CHANNELS: ReadonlySet<string> = new Set(["channel", "__name__"]);

/** Whether code on the far side, with or without a channel of its own, can count on a global name. */
export function isRemoteGlobal(name: string, channel = true): boolean {
  return listed.has(name) ? channel || !OF_CHANNELS.has(name) : isNewer(name);
}

/**
 * Whether a name that the list lacks may be one that this Deno has over that of the list. What a platform defines is
 * not enumerable, but for attributes and functions of the web; what a program assigns is. So a newer Deno's
 * functions have to be written with `globalThis.` before them until the list has them.
 */
function isNewer(name: string): boolean {
  if (Deno.version.deno === LISTED_DENO) return false;
  const own = Object.getOwnPropertyDescriptor(globalThis, name);
  return own !== undefined && !own.enumerable;
}
