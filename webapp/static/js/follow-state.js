/** Whether a log follows its newest line, and how many rows its reader has not seen meanwhile. */
export class FollowState {
  following = true;
  held = false; // the reader paused it, so scrolling to the end does not resume it
  unseen = 0; // rows added since then
  incomplete = false; // rows are missing at the end of the list
  first = 0; // the seq of the first row of the whole log, 0 if unknown

  hold() {
    this.following = false;
    this.held = true;
  }

  follow() {
    this.following = true;
    this.held = false;
    this.unseen = 0;
  }
}
