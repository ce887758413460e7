/* SPDX-License-Identifier: Apache-2.0
 * The slot state machine of hf/device/boot.c and bootstate.c, two images of two slots, checked by spin.
 *
 * Properties, abstraction and the C function behind each part: docs/model/boot.md. A boot record is old or new after a
 * power cut, never torn: tests/device/test_bootstate.c and test_bootsweep.c show that of the code. Here power fails
 * before and after each write, writes fail, and the application does anything it can in any order.
 *
 * -DROT: one whole image rots. -DFEWCUTS: bounded power cuts, for the liveness claim. -DMUTANT_...: broken on purpose.
 */
#define EMPTY 0
#define STAGED 1
#define TRYING 2
#define CONFIRMED 3
#define BAD 4
#define NONE 2

/* Versions of both images; 0 is nothing that verifies. Two of them: the newer has the higher security counter. With
 * -DTHREE the second has the counter of the first, so that there is a set to fall back to. Image 0 in its newest version
 * needs image 1 in version 2. */
#ifdef THREE
#define NEWEST 3
#define COUNTER(v) (((v) + 1) / 2)
#else
#define NEWEST 2
#ifdef ROT
#define COUNTER(v) 1
#else
#define COUNTER(v) (v)
#endif
#endif
#define FITS(v0, v1) (!((v0) == NEWEST && (v1) < 2))
#define AT(i, s) ((i) * 2 + (s))

/* On flash: the boot record, and what the slots really hold. */
byte status[4] = { CONFIRMED, EMPTY, CONFIRMED, EMPTY };
byte named[4] = { 1, 0, 1, 0 };
byte content[4] = { 1, 0, 1, 0 };
bit act[2];
bit prev[2] = { 1, 1 };
byte floor[2] = { 1, 1 };

/* In the boot loader's memory. */
byte r_status[4];
bit r_act[2], r_prev[2];
bool changed, written, power;

/* What runs, and what the properties look at. */
bool running, trial, denied, rotten;
byte here0, here1;
byte ran[4];   /* times that what was staged in a slot ran without being confirmed */
byte together; /* images of the staging that is under way, a bit each */
byte now, before, base; /* the pair of versions confirmed last, the one before, and the one that ran last for good */
byte cuts;

byte s0, s1, c0, c1, v, x;

#define PAIR(v0, v1) ((v0) * 4 + (v1))
#define VERIFIES(i, s) (content[AT(i, s)] != 0 && content[AT(i, s)] == named[AT(i, s)] && \
                        COUNTER(content[AT(i, s)]) >= floor[i])

#ifdef FEWCUTS
#define CUT (cuts < 2) -> cuts++
#else
#define CUT true
#endif

/* hf_bootstate_put: it is on flash, or it failed, or power was cut before or after it. */
inline write_record()
{
  power = true; written = false;
  if
  :: written = true
  :: skip
  :: CUT; power = false
  :: CUT; power = false; written = true
  fi;
  if
  :: written ->
    d_step {
      x = 0;
      do
      :: x < 4 -> status[x] = r_status[x]; x++
      :: else -> break
      od;
      act[0] = r_act[0]; act[1] = r_act[1];
      prev[0] = r_prev[0]; prev[1] = r_prev[1];
      x = 0
    }
  :: else
  fi
}

/* hf_bootstate_get */
inline read_record()
{
  d_step {
    x = 0;
    do
    :: x < 4 -> r_status[x] = status[x]; x++
    :: else -> break
    od;
    r_act[0] = act[0]; r_act[1] = act[1];
    r_prev[0] = prev[0]; r_prev[1] = prev[1];
    x = 0
  }
}

/* What nobody reads again is made alike, so that there are fewer states. */
inline forget()
{
  d_step {
    x = 0;
    do
    :: x < 4 ->
      if
      :: status[x] == BAD -> named[x] = 0; content[x] = 0; ran[x] = 0
      :: status[x] == EMPTY -> named[x] = 0; ran[x] = 0
      :: else
      fi;
      x++
    :: else -> break
    od;
    r_status[0] = 0; r_status[1] = 0; r_status[2] = 0; r_status[3] = 0;
    r_act[0] = 0; r_act[1] = 0; r_prev[0] = 0; r_prev[1] = 0;
    s0 = 0; s1 = 0; c0 = 0; c1 = 0; x = 0; v = 0; changed = false; written = false; power = false
  }
}

/* end_trials */
inline end_trials()
{
  d_step {
    x = 0;
    do
    :: x < 4 ->
      if
#ifdef MUTANT_TRY_AGAIN
      :: r_status[x] == TRYING -> r_status[x] = STAGED; changed = true
#else
      :: r_status[x] == TRYING -> r_status[x] = BAD; changed = true
#endif
      :: else
      fi;
      x++
    :: else -> break
    od;
    x = 0
  }
}


inline mark_staged(to)
{
  if :: s0 != NONE -> r_status[AT(0, s0)] = to :: else fi;
  if :: s1 != NONE -> r_status[AT(1, s1)] = to :: else fi
}

#define PARTNERS_OK ((s0 != NONE || r_status[AT(0, c0)] == CONFIRMED) && (s1 != NONE || r_status[AT(1, c1)] == CONFIRMED))
#define SET_RUNS (PARTNERS_OK && VERIFIES(0, c0) && VERIFIES(1, c1) && \
                  FITS(content[AT(0, c0)], content[AT(1, c1)]))
/* The reason is an image that is not staged: what is staged waits. */
#define NOT_ITS_FAULT (!PARTNERS_OK || (!VERIFIES(1, c1) && s1 == NONE) || \
                       (VERIFIES(1, c1) && !VERIFIES(0, c0) && s0 == NONE))

#define ALL_CONFIRMED(a, b) (r_status[AT(0, a)] == CONFIRMED && r_status[AT(1, b)] == CONFIRMED)
#define SET_OK(a, b) (ALL_CONFIRMED(a, b) && VERIFIES(0, a) && VERIFIES(1, b) && \
                      FITS(content[AT(0, a)], content[AT(1, b)]))

inline hand_over(a, b)
{
  d_step { here0 = a; here1 = b; running = true }
}

/* Held at every start of the software. */
inline judge()
{
  d_step {
    assert(content[AT(0, here0)] != 0 && content[AT(1, here1)] != 0);
    assert(COUNTER(content[AT(0, here0)]) >= floor[0] && COUNTER(content[AT(1, here1)]) >= floor[1]);
    assert(FITS(content[AT(0, here0)], content[AT(1, here1)]));
    if
    :: trial ->
      /* all or none: what was staged together is tried together */
      assert(!(together & 1) || status[AT(0, here0)] == TRYING);
      assert(!(together & 2) || status[AT(1, here1)] == TRYING);
      if :: status[AT(0, here0)] == TRYING -> ran[AT(0, here0)]++ :: else fi;
      if :: status[AT(1, here1)] == TRYING -> ran[AT(1, here1)]++ :: else fi
    :: else ->
      /* all or none: for good only what was confirmed together */
      base = PAIR(content[AT(0, here0)], content[AT(1, here1)]);
      assert(base == now || base == before)
    fi;
    /* never an unconfirmed image twice */
    assert(ran[0] <= 1 && ran[1] <= 1 && ran[2] <= 1 && ran[3] <= 1)
  }
}

/* hf_boot_ops.release, then the download into the slot beside the running one. What is staged is taken back whole. */
inline download(i, s)
{
  read_record();
  if
  :: r_status[AT(i, s)] != EMPTY ->
    d_step {
#ifndef MUTANT_HALF_RELEASE
      x = 0;
      do
      :: x < 4 ->
        if :: r_status[x] == STAGED -> r_status[x] = EMPTY :: else fi;
        x++
      :: else -> break
      od;
      x = 0;
#endif
      r_status[AT(i, s)] = EMPTY
    }
    write_record();
    if
    :: !power -> goto off
    :: power && !written -> goto next
    :: else
    fi
  :: else
  fi;
  content[AT(i, s)] = 0;
  if :: CUT; goto off :: true fi;
  if
  :: v = 1
  :: v = 2
#ifdef THREE
  :: v = 3
#endif
  fi;
  content[AT(i, s)] = v;
  forget()
}

/* hf_boot_ops.stage: a set, or one image, in one record */
inline stage(which)
{
  read_record();
  d_step {
    if :: (which & 1) != 0 -> r_status[AT(0, 1 - here0)] = STAGED; named[AT(0, 1 - here0)] = content[AT(0, 1 - here0)] :: else fi;
    if :: (which & 2) != 0 -> r_status[AT(1, 1 - here1)] = STAGED; named[AT(1, 1 - here1)] = content[AT(1, 1 - here1)] :: else fi
  }
  write_record();
  d_step {
    if
    :: written ->
      together = which;
      if :: (which & 1) != 0 -> ran[AT(0, 1 - here0)] = 0 :: else fi;
      if :: (which & 2) != 0 -> ran[AT(1, 1 - here1)] = 0 :: else fi
    :: else
    fi
  }
}

/* hf_bootstate_confirm: status, active, previous and the counters are one record */
inline confirm()
{
  read_record();
  d_step {
    r_prev[0] = r_act[0]; r_prev[1] = r_act[1];
    r_act[0] = here0; r_act[1] = here1;
    if :: r_status[AT(0, here0)] == TRYING -> r_status[AT(0, here0)] = CONFIRMED :: else fi
#ifndef MUTANT_HALF_CONFIRM
    ;
    if :: r_status[AT(1, here1)] == TRYING -> r_status[AT(1, here1)] = CONFIRMED :: else fi
#endif
  }
  write_record();
#ifdef MUTANT_HALF_CONFIRM
  if
  :: power && written ->
    if :: r_status[AT(1, here1)] == TRYING -> r_status[AT(1, here1)] = CONFIRMED :: else fi;
    write_record()
  :: else
  fi;
#endif
  d_step {
    if
    :: written ->
      if :: COUNTER(content[AT(0, here0)]) > floor[0] -> floor[0] = COUNTER(content[AT(0, here0)]) :: else fi;
      if :: COUNTER(content[AT(1, here1)]) > floor[1] -> floor[1] = COUNTER(content[AT(1, here1)]) :: else fi;
      before = base; now = PAIR(content[AT(0, here0)], content[AT(1, here1)]); base = now;
      ran[AT(0, here0)] = 0; ran[AT(1, here1)] = 0; together = 0
    :: else
    fi
  }
}

/* Nothing is downloaded or staged while the record names another set than the one that runs: a fall back that could not
 * be written down. */
#ifdef MUTANT_STAGE_BLINDLY
#define NAMED_ACTIVE true
#else
#define NAMED_ACTIVE (act[0] == here0 && act[1] == here1)
#endif

active proctype device()
{
  now = PAIR(1, 1); before = now; base = now;

off: skip; /* hf_boot_choose */
  d_step { running = false; trial = false; here0 = 0; here1 = 0 }
  forget();
  read_record();
  end_trials();

  /* try_staged */
  d_step {
    s0 = NONE; s1 = NONE; c0 = r_act[0]; c1 = r_act[1];
    if
    :: r_status[0] == STAGED -> s0 = 0; c0 = 0
    :: r_status[0] != STAGED && r_status[1] == STAGED -> s0 = 1; c0 = 1
    :: else
    fi;
    if
    :: r_status[2] == STAGED -> s1 = 0; c1 = 0
    :: r_status[2] != STAGED && r_status[3] == STAGED -> s1 = 1; c1 = 1
    :: else
    fi
  }
  if
  :: (s0 != NONE || s1 != NONE) && SET_RUNS ->
    d_step { mark_staged(TRYING) }
#ifdef MUTANT_COUNTER_EARLY
    d_step {
      if :: COUNTER(content[AT(0, c0)]) > floor[0] -> floor[0] = COUNTER(content[AT(0, c0)]) :: else fi;
      if :: COUNTER(content[AT(1, c1)]) > floor[1] -> floor[1] = COUNTER(content[AT(1, c1)]) :: else fi
    }
#endif
#ifdef MUTANT_RUN_UNWRITTEN
    write_record();
    if
    :: !power -> goto off
    :: else -> trial = written; hand_over(c0, c1); goto started
    fi
#else
    write_record();
    if
    :: !power -> goto off
    :: power && written -> trial = true; hand_over(c0, c1); goto started
    :: power && !written -> d_step { mark_staged(STAGED) }
    fi
#endif
  :: (s0 != NONE || s1 != NONE) && !SET_RUNS && !NOT_ITS_FAULT ->
    d_step { mark_staged(BAD); changed = true }
  :: else
  fi;

  /* run_confirmed, then fall_back */
  if
  :: SET_OK(r_act[0], r_act[1]) -> hand_over(r_act[0], r_act[1])
#ifdef MUTANT_MIXED_FALL_BACK
  :: !SET_OK(r_act[0], r_act[1]) && SET_OK(r_act[0], 1 - r_act[1]) ->
    d_step { r_act[1] = 1 - r_act[1]; changed = true }
    hand_over(r_act[0], r_act[1])
#else
  :: !SET_OK(r_act[0], r_act[1]) && SET_OK(r_prev[0], r_prev[1]) ->
    d_step {
#ifdef MUTANT_WRONG_BLAME
      r_status[AT(0, r_act[0])] = BAD;
#else
      /* The one that is broken, never one that the set before shares. */
      if
      :: r_prev[1] != r_act[1] && (r_status[AT(1, r_act[1])] != CONFIRMED || !VERIFIES(1, r_act[1])) ->
        r_status[AT(1, r_act[1])] = BAD
      :: r_prev[0] != r_act[0] && (r_status[AT(0, r_act[0])] != CONFIRMED || !VERIFIES(0, r_act[0])) ->
        r_status[AT(0, r_act[0])] = BAD
      :: else
      fi;
#endif
      s0 = r_act[0]; s1 = r_act[1];
      r_act[0] = r_prev[0]; r_act[1] = r_prev[1];
      r_prev[0] = s0; r_prev[1] = s1; s0 = 0; s1 = 0;
      changed = true
    }
    hand_over(r_act[0], r_act[1])
#endif
  :: else ->
    denied = true;
    assert(rotten); /* always a bootable image */
    goto dead
  fi;
  if
  :: changed ->
    write_record();
    if :: !power -> goto off :: else fi
  :: else
  fi;

started: skip;
  forget();
  judge();
next: skip;
  forget();
  do
  :: goto off /* crash, watchdog, request, power: at any time */
  :: trial && (status[AT(0, here0)] == TRYING || status[AT(1, here1)] == TRYING) ->
    confirm();
    if
    :: !power -> goto off
    :: power && written -> trial = false; forget()
    :: else -> forget()
    fi
#ifdef MUTANT_DOWNLOAD_OVER_ACTIVE
  :: !trial -> download(0, here0); goto off
#endif
  :: !trial && NAMED_ACTIVE -> download(0, 1 - here0)
  :: !trial && NAMED_ACTIVE -> download(1, 1 - here1)
  :: !trial && NAMED_ACTIVE && content[AT(0, 1 - here0)] != 0 && status[AT(0, 1 - here0)] == EMPTY ->
    stage(1);
    if :: !power -> goto off :: else -> forget() fi
  :: !trial && NAMED_ACTIVE && content[AT(1, 1 - here1)] != 0 && status[AT(1, 1 - here1)] == EMPTY ->
    stage(2);
    if :: !power -> goto off :: else -> forget() fi
  :: !trial && NAMED_ACTIVE && content[AT(0, 1 - here0)] != 0 && status[AT(0, 1 - here0)] == EMPTY &&
     content[AT(1, 1 - here1)] != 0 && status[AT(1, 1 - here1)] == EMPTY ->
    stage(3);
    if :: !power -> goto off :: else -> forget() fi
#ifdef ROT
  :: !trial && !rotten -> rotten = true; content[AT(0, here0)] = 0
  :: !trial && !rotten -> rotten = true; content[AT(1, here1)] = 0
#endif
  od;

dead:
  skip
}

/* The counter is never above what can boot: the active software always passes its own floor. */
#define ACTIVE_PASSES(i) (content[AT(i, act[i])] == 0 || COUNTER(content[AT(i, act[i])]) >= floor[i])
ltl counter_below_what_boots { [] (ACTIVE_PASSES(0) && ACTIVE_PASSES(1)) }
/* The last confirmed set stays on flash, whole, whatever is downloaded, tried or cut. */
ltl always_bootable { [] (rotten || (status[AT(0, act[0])] == CONFIRMED && status[AT(1, act[1])] == CONFIRMED &&
                                      content[AT(0, act[0])] != 0 && content[AT(1, act[1])] != 0)) }
/* With power back, something runs: a boot always comes to its end. */
ltl comes_back { [] (!running -> <> (running || denied)) }
