/** What this program may do, as far as it is told without anybody being asked. */

/** Whether a permission is granted. Asking is cheap; trying and failing is not, and a try may ask at the terminal. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
