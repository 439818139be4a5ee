//go:build gc && !purego

// G of RFC 9106, 3.5, two rounds P at a time. Y0..Y3 hold the rows A..D of the one 4x4 state, Y4..Y7 those of the other,
// Y8 and Y9 are scratch, Y10 and Y11 the byte shuffles that rotate right by 24 and by 16.

#include "textflag.h"

DATA rotate24<>+0(SB)/8, $0x0201000706050403
DATA rotate24<>+8(SB)/8, $0x0a09080f0e0d0c0b
GLOBL rotate24<>(SB), RODATA|NOPTR, $16

DATA rotate16<>+0(SB)/8, $0x0100070605040302
DATA rotate16<>+8(SB)/8, $0x09080f0e0d0c0b0a
GLOBL rotate16<>(SB), RODATA|NOPTR, $16

// x += y + 2*lo(x)*lo(y), for both states.
#define TIMES(x, y, x2, y2) \
	VPMULUDQ x, y, Y8 \
	VPMULUDQ x2, y2, Y9 \
	VPADDQ y, x, x \
	VPADDQ y2, x2, x2 \
	VPADDQ Y8, Y8, Y8 \
	VPADDQ Y9, Y9, Y9 \
	VPADDQ Y8, x, x \
	VPADDQ Y9, x2, x2

#define MIX \
	TIMES(Y0, Y1, Y4, Y5) \
	VPXOR Y0, Y3, Y3 \
	VPXOR Y4, Y7, Y7 \
	VPSHUFD $0xB1, Y3, Y3 \
	VPSHUFD $0xB1, Y7, Y7 \
	TIMES(Y2, Y3, Y6, Y7) \
	VPXOR Y2, Y1, Y1 \
	VPXOR Y6, Y5, Y5 \
	VPSHUFB Y10, Y1, Y1 \
	VPSHUFB Y10, Y5, Y5 \
	TIMES(Y0, Y1, Y4, Y5) \
	VPXOR Y0, Y3, Y3 \
	VPXOR Y4, Y7, Y7 \
	VPSHUFB Y11, Y3, Y3 \
	VPSHUFB Y11, Y7, Y7 \
	TIMES(Y2, Y3, Y6, Y7) \
	VPXOR Y2, Y1, Y1 \
	VPXOR Y6, Y5, Y5 \
	VPADDQ Y1, Y1, Y8 \
	VPADDQ Y5, Y5, Y9 \
	VPSRLQ $63, Y1, Y1 \
	VPSRLQ $63, Y5, Y5 \
	VPXOR Y8, Y1, Y1 \
	VPXOR Y9, Y5, Y5

// The columns, then the diagonals turned into columns and back.
#define ROUNDS \
	MIX \
	VPERMQ $0x39, Y1, Y1 \
	VPERMQ $0x39, Y5, Y5 \
	VPERMQ $0x4E, Y2, Y2 \
	VPERMQ $0x4E, Y6, Y6 \
	VPERMQ $0x93, Y3, Y3 \
	VPERMQ $0x93, Y7, Y7 \
	MIX \
	VPERMQ $0x93, Y1, Y1 \
	VPERMQ $0x93, Y5, Y5 \
	VPERMQ $0x4E, Y2, Y2 \
	VPERMQ $0x4E, Y6, Y6 \
	VPERMQ $0x39, Y3, Y3 \
	VPERMQ $0x39, Y7, Y7

// Four words of two rows of the block become one row each of the two states, and back.
#define GATHER(one, two, row, row2) \
	VMOVDQU one(DI), Y8 \
	VMOVDQU two(DI), Y9 \
	VPERM2I128 $0x20, Y9, Y8, row \
	VPERM2I128 $0x31, Y9, Y8, row2

#define SCATTER(one, two, row, row2) \
	VPERM2I128 $0x20, row2, row, Y8 \
	VPERM2I128 $0x31, row2, row, Y9 \
	VMOVDQU Y8, one(DI) \
	VMOVDQU Y9, two(DI)

// func compressAVX2(out, a, b, work *block, keep bool)
TEXT ·compressAVX2(SB), NOSPLIT, $0-33
	MOVQ out+0(FP), R8
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ work+24(FP), R9
	MOVBLZX keep+32(FP), R10
	VBROADCASTI128 rotate24<>(SB), Y10
	VBROADCASTI128 rotate16<>(SB), Y11

	MOVQ R9, DI
	MOVQ $4, CX

rows:
	VMOVDQU 0(SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VMOVDQU 128(SI), Y4
	VMOVDQU 160(SI), Y5
	VMOVDQU 192(SI), Y6
	VMOVDQU 224(SI), Y7
	VPXOR 0(DX), Y0, Y0
	VPXOR 32(DX), Y1, Y1
	VPXOR 64(DX), Y2, Y2
	VPXOR 96(DX), Y3, Y3
	VPXOR 128(DX), Y4, Y4
	VPXOR 160(DX), Y5, Y5
	VPXOR 192(DX), Y6, Y6
	VPXOR 224(DX), Y7, Y7
	ROUNDS
	VMOVDQU Y0, 0(DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VMOVDQU Y4, 128(DI)
	VMOVDQU Y5, 160(DI)
	VMOVDQU Y6, 192(DI)
	VMOVDQU Y7, 224(DI)
	ADDQ $256, SI
	ADDQ $256, DX
	ADDQ $256, DI
	DECQ CX
	JNZ  rows

	MOVQ R9, DI
	MOVQ $4, CX

columns:
	GATHER(0, 128, Y0, Y4)
	GATHER(256, 384, Y1, Y5)
	GATHER(512, 640, Y2, Y6)
	GATHER(768, 896, Y3, Y7)
	ROUNDS
	SCATTER(0, 128, Y0, Y4)
	SCATTER(256, 384, Y1, Y5)
	SCATTER(512, 640, Y2, Y6)
	SCATTER(768, 896, Y3, Y7)
	ADDQ $32, DI
	DECQ CX
	JNZ  columns

	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ $32, CX
	TESTL R10, R10
	JNZ  kept

fresh:
	VMOVDQU (SI), Y0
	VPXOR (DX), Y0, Y0
	VPXOR (R9), Y0, Y0
	VMOVDQU Y0, (R8)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, R9
	ADDQ $32, R8
	DECQ CX
	JNZ  fresh
	VZEROUPPER
	RET

kept:
	VMOVDQU (SI), Y0
	VPXOR (DX), Y0, Y0
	VPXOR (R9), Y0, Y0
	VPXOR (R8), Y0, Y0
	VMOVDQU Y0, (R8)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, R9
	ADDQ $32, R8
	DECQ CX
	JNZ  kept
	VZEROUPPER
	RET
