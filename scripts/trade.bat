@ECHO OFF
REM Starts Coxswain and, with it, the scanner and the tracker: /startbot in one click.
SETLOCAL
CD /D "%~dp0.."
CALL "%~dp0setup.bat" || EXIT /B 1
".venv\Scripts\python.exe" bot.py --send /startbot %*
EXIT /B %ERRORLEVEL%
