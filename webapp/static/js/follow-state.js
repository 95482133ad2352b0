/** Whether a log stays at its newest line, and what its reader has not seen meanwhile. */
export class FollowState {
  following = true;
  held = false; // the reader stopped it, so scrolling to the end does not start it again
  unseen = 0; // rows that came since
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
